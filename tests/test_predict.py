"""``python -m src.predict``: new photographs of any size."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from networks import Redness, network_of
from torch import Tensor

from src.config import load_config
from src.data.files import UInt8Array, list_images, read_image, read_mask
from src.errors import UserError
from src.evaluation import main as evaluate
from src.pictures import FOUND
from src.predict import find_photographs, main, predict_photograph
from src.run import train


@pytest.fixture
def checkpoint(tiny: list[str]) -> Path:
    return train(load_config(tiny), tiny) / "checkpoints" / "best_model.pth"


def photograph(path: Path, height: int, width: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))
    return path


def test_photographs_of_any_size_get_a_mask_and_an_overlay_of_their_size(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    sizes = {"small": (20, 27), "exact": (32, 32), "wide": (40, 133), "tall": (90, 31)}
    for name, size in sizes.items():
        photograph(tmp_path / "photos" / f"{name}.png", *size)
    main([str(checkpoint), str(tmp_path / "photos"), "--out", str(tmp_path / "out")])
    for name, size in sizes.items():
        stored = cv2.imread(str(tmp_path / "out" / "masks" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        assert stored is not None
        assert stored.shape == size
        assert set(np.unique(stored)) <= {0, 255}
        drawn = read_image(tmp_path / "out" / "overlays" / f"{name}.png")
        np.testing.assert_array_equal((drawn == FOUND).all(axis=2), stored == 255)
    assert "% crack" in capsys.readouterr().out


def test_a_photograph_of_the_training_size_gets_the_mask_that_evaluation_scores(
    checkpoint: Path, tiny_data: Path, tmp_path: Path
):
    evaluate([f"model.checkpoint_path={checkpoint}", "evaluation.save_predictions=true"])
    main([str(checkpoint), str(tiny_data / "test" / "images"), "--out", str(tmp_path / "out")])
    scored = list_images(checkpoint.parent.parent / "results" / "test" / "masks")
    assert len(scored) == 3
    for path in scored:
        np.testing.assert_array_equal(read_mask(tmp_path / "out" / "masks" / path.name), read_mask(path))


def test_a_photograph_is_seen_at_the_scale_of_the_training_images(tiny: list[str]):
    seen: list[tuple[int, ...]] = []

    class Look(Redness):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(tuple(images.shape))
            return super().forward(images)

    network = replace(network_of(Look(), tiny), scale=(0.5, 0.25))
    image: UInt8Array = np.zeros((64, 128, 3), np.uint8)
    assert predict_photograph(network, image, "none", 0.25).shape == (64, 128)
    assert seen == [(1, 3, 32, 32)]


def test_the_threshold_can_be_another_than_that_of_validation(checkpoint: Path, tmp_path: Path):
    path = photograph(tmp_path / "a.png", 32, 32)
    shares = list[float]()
    for threshold in ("0", "1"):
        main([str(checkpoint), str(path), "--threshold", threshold, "--out", str(tmp_path / "out")])
        shares.append(float(read_mask(tmp_path / "out" / "masks" / "a.png").mean()))
    assert shares == [1.0, 0.0]


def test_views_and_overrides_are_taken(checkpoint: Path, tmp_path: Path):
    path = photograph(tmp_path / "a=b.png", 40, 40)
    main([str(checkpoint), str(path), "device=cpu", "threads=1", "--tta", "d4", "--out", str(tmp_path / "out")])
    assert (tmp_path / "out" / "masks" / "a=b.png").is_file()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--threshold", "1.5"], r"--threshold=1\.5: must be from 0 to 1\."),
        (["--overlap", "1"], r"--overlap=1\.0: must be from 0 to 0\.9\."),
        (["nowhere.jpg"], r"No such photograph: nowhere\.jpg\."),
    ],
)
def test_a_mistake_is_one_sentence(words: list[str], sentence: str, tmp_path: Path):
    path = photograph(tmp_path / "a.png", 8, 8)
    with pytest.raises(UserError, match=sentence):
        main(["best_model.pth", str(path), *words])


def test_photographs_whose_results_would_overwrite_each_other_are_refused(tmp_path: Path):
    one, other = photograph(tmp_path / "x" / "a.png", 8, 8), photograph(tmp_path / "y" / "a.jpg", 8, 8)
    with pytest.raises(UserError, match="have one stem"):
        find_photographs([one.parent, other])


def test_a_folder_without_photographs_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match=f"No photograph in {tmp_path}"):
        find_photographs([tmp_path])


def test_a_file_that_is_no_photograph_is_named(checkpoint: Path, tmp_path: Path):
    path = tmp_path / "notes.png"
    path.write_text("no picture")
    with pytest.raises(UserError, match=r"Cannot decode .*notes\.png"):
        main([str(checkpoint), str(path), "--out", str(tmp_path / "out")])
