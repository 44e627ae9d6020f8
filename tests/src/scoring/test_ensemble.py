"""The mean of several networks' probabilities."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from exports import trained
from networks import Redness
from slow_rest import slow_rest
from torch import Tensor, nn

from src.errors import UserError
from src.scoring.ensemble import Mean, load_networks
from src.scoring.evaluate import choose_threshold, score_images
from src.scoring.inference import VIEWS
from src.scoring.metrics import BINS, HALF, best_threshold


class Constant(nn.Module):
    """The same logit for every pixel."""

    def __init__(self, logit: float) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.tensor(logit))

    def forward(self, images: Tensor) -> Tensor:
        return self.logit.expand(len(images), 1, *images.shape[2:])


@pytest.fixture
def two(tiny: list[str], tmp_path: Path) -> list[Path]:
    return [trained([*tiny, f"seed={seed}"], tmp_path / f"{seed}.pth") for seed in (1, 2)]


@pytest.mark.parametrize("logits", [(0.0, 2.0), (-120.0, 120.0), (120.0, 120.0), (-120.0, -120.0)])
def test_probabilities_are_averaged_even_where_they_are_0_or_1(logits: tuple[float, float]):
    images = torch.zeros(2, 3, 4, 5)
    found = Mean(map(Constant, logits))(images).sigmoid()
    torch.testing.assert_close(found, torch.full((2, 1, 4, 5), float(torch.tensor(logits).sigmoid().mean())))


def test_one_network_is_its_own_mean():
    images = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(Mean([Redness()])(images), Redness()(images), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("tta", slow_rest([*VIEWS][::-1]))
def test_the_probabilities_of_several_checkpoints_are_their_mean_in_all_views(tta: str, two: list[Path]):
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8))
    mean, single = load_networks(two), [load_networks([path]) for path in two]
    assert [member.checkpoint for member in mean.members] == two
    assert not single[0].members
    expected = torch.stack([network.probs(images, tta) for network in single]).mean(0)
    torch.testing.assert_close(mean.probs(images, tta), expected)


def test_the_mean_has_its_own_threshold_from_the_validation_split(two: list[Path]):
    mean = load_networks(two)
    histogram = np.stack([scored.histogram for scored in score_images(mean, "val", "none", HALF)])
    assert choose_threshold(mean, "none") == best_threshold(histogram)
    assert choose_threshold(load_networks(two[:1]), "none") / BINS == load_networks(two[:1]).threshold


def test_a_checkpoint_counts_once_even_under_another_name(two: list[Path], tmp_path: Path):
    (tmp_path / "link.pth").hardlink_to(two[0])
    with pytest.raises(UserError, match=r"link\.pth"):
        load_networks([*two, tmp_path / "link.pth"])


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["data.image_size=[16,16]"], "data.image_size"),
        (["data.mean=[0.1,0.2,0.3]"], "data.mean"),
        (["data.crop=random", "data.image_size=[16,16]"], "data.image_size"),
    ],
)
def test_networks_that_see_photographs_in_another_form_are_refused(
    words: list[str], key: str, two: list[Path], tiny: list[str], tmp_path: Path
):
    other = trained([*tiny, *words], tmp_path / "other.pth")
    with pytest.raises(UserError) as refused:
        load_networks([two[0], other])
    assert key in str(refused.value)
    assert str(other) in str(refused.value)


def test_networks_of_two_data_sets_are_averaged_where_the_command_says_whose_validation_counts(
    two: list[Path], tiny: list[str], tiny_data: Path, tmp_path: Path
):
    shutil.copytree(tiny_data, tmp_path / "data")
    other = trained([*tiny, f"data.root={tmp_path / 'data'}"], tmp_path / "other.pth")
    with pytest.raises(UserError, match=r"data\.root="):
        load_networks([two[0], other])
    assert load_networks([two[0], other], [f"data.root={tiny_data}"]).members
