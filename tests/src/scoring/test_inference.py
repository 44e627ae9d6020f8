"""Networks that a checkpoint brings back, and their probabilities."""

from pathlib import Path

import numpy as np
import pytest
import torch
from networks import Redness, network_of
from torch import Tensor, nn

from src.config.compose import load_config
from src.data.cache import load_split
from src.errors import UserError
from src.scoring.inference import VIEWS, load_network, predict_probs, refuse_views
from src.training.run import train
from src.training.trainer import Trainer


def photographs(count: int = 3, height: int = 32, width: int = 32) -> Tensor:
    pixels = np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    return torch.from_numpy(pixels)


@pytest.mark.parametrize("tta", VIEWS)
def test_views_are_turned_back_before_they_are_averaged(tta: str, tiny: list[str]):
    network = network_of(Redness(), tiny)
    torch.testing.assert_close(network.probs(photographs(), tta), network.probs(photographs()))


def test_the_views_of_flips_are_all_four_and_of_d4_all_eight(tiny: list[str]):
    half = network_of(Redness(left_half=True), tiny)
    left, whole = half.probs(photographs()), network_of(Redness(), tiny).probs(photographs())
    assert (left[..., 16:] < 1e-6).all()
    for tta in ("flips", "d4"):  # half of the views see a pixel in their left half
        torch.testing.assert_close(half.probs(photographs(), tta), whole / 2, atol=1e-6, rtol=0)
    for tta, count in (("none", 1), ("flips", 4), ("d4", 8)):
        assert len(set(VIEWS[tta])) == len(VIEWS[tta]) == count


def test_flips_are_for_images_that_are_not_square_too(tiny: list[str]):
    network = network_of(Redness(), tiny)
    assert network.probs(photographs(height=16, width=48), "flips").shape == (3, 1, 16, 48)


def test_quarter_turns_of_images_that_are_not_square_are_refused():
    refuse_views("d4", (32, 32))
    refuse_views("flips", (32, 64))
    with pytest.raises(UserError, match=r"tta=d4 .*image_size=\[32, 64\] is not square\. Legal: none, flips\."):
        refuse_views("d4", (32, 64))


@pytest.mark.parametrize(
    "override", ["training.epochs=7", "data.augmentation=strong", "seed=1", "experiment_name=x", "+new=1"]
)
def test_an_override_that_a_finished_network_does_not_depend_on_is_refused(override: str, trained: Path):
    with pytest.raises(UserError, match=r"no effect here\. Legal: keys that begin with model, data"):
        load_network(trained, [override])


def test_a_batch_that_does_not_fit_in_memory_goes_through_in_parts(tiny: list[str]):
    class Greedy(Redness):
        def forward(self, images: Tensor) -> Tensor:
            if len(images) > 1:
                raise torch.OutOfMemoryError
            return super().forward(images)

    network = network_of(Greedy(), tiny)
    torch.testing.assert_close(network.probs(photographs()), network_of(Redness(), tiny).probs(photographs()))
    assert network.micro_batch.size == 1


def test_probabilities_are_those_of_normalised_photographs(tiny: list[str]):
    data = load_config(tiny).data
    seen = list[Tensor]()

    class Look(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.anchor = nn.Parameter(torch.zeros(()))

        def forward(self, images: Tensor) -> Tensor:
            seen.append(images)
            return images[:, :1]

    probs = predict_probs(Look(), photographs(), data, None)
    by_hand = (photographs().permute(0, 3, 1, 2) / 255 - torch.tensor(data.mean).view(3, 1, 1)) / torch.tensor(
        data.std
    ).view(3, 1, 1)
    torch.testing.assert_close(seen[0], by_hand, atol=1e-5, rtol=1e-5)
    assert seen[0].is_contiguous()  # as the network's kernels are, see src.models.device.choose_layout
    torch.testing.assert_close(probs, by_hand[:, :1].sigmoid(), atol=1e-5, rtol=1e-5)


@pytest.fixture
def trained(trained_run: Path) -> Path:
    return trained_run / "checkpoints" / "last.pth"


def test_a_loaded_network_predicts_what_it_did_in_training(tiny: list[str], trained: Path):
    network = load_network(trained)
    trainer = Trainer(network.config, tiny)
    trainer.load(trained)
    split = load_split(network.config.data.root, "val", (32, 32), network.config.data.cache_dir)
    images = torch.from_numpy(np.stack([split.image(index) for index in range(len(split))]))
    assert network.epoch == 2
    assert network.threshold == trainer.threshold
    assert torch.equal(network.probs(images), trainer.predict(images))


def test_a_network_remembers_how_much_smaller_than_the_photographs_it_saw_them(tiny: list[str]):
    overrides = [*tiny, "data.image_size=[32,16]", "training.epochs=1"]
    checkpoint = train(load_config(overrides), overrides) / "checkpoints" / "last.pth"
    assert load_network(checkpoint).scale == (1.0, 0.5)


def test_a_network_with_windows_of_attention_is_brought_back_for_another_size(tiny: list[str]):
    own = [word for word in tiny if not word.startswith("model.")]
    overrides = [*own, "model=architectures/swin_unet", "model.encoder.embed_dim=16", "data.image_size=[112,112]"]
    checkpoint = train(load_config([*overrides, "training.epochs=1"]), overrides) / "checkpoints" / "last.pth"
    network = load_network(checkpoint, ["data.image_size=[128,128]"])
    assert network.config.data.image_size == (128, 128)
    assert network.probs(photographs(1, 128, 128)).shape == (1, 1, 128, 128)


def test_overrides_that_describe_another_network_are_refused(trained: Path):
    with pytest.raises(UserError, match="weights of another network"):
        load_network(trained, ["model.decoder.decoder_channels=[32,32,16,16,8]"])
