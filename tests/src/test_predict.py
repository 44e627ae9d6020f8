"""``python -m src.predict``: new photographs of any size."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from exports import trained
from networks import Redness, network_of
from torch import Tensor

from src.data.files import list_images, read_image
from src.data.masks import read_mask
from src.errors import UserError
from src.evaluation import main as evaluate
from src.models.checkpoint import load_checkpoint, save_checkpoint
from src.predict import main
from src.predicting.results import Wanted, predict_files
from src.scoring.pictures import outline


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
        expected = outline(read_image(tmp_path / "photos" / f"{name}.png"), (stored > 0).astype(np.uint8))
        np.testing.assert_array_equal(read_image(tmp_path / "out" / "overlays" / f"{name}.png"), expected)
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


def test_a_photograph_is_seen_at_the_scale_of_the_training_images(tiny: list[str], tmp_path: Path):
    seen: list[tuple[int, ...]] = []

    class Look(Redness):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(tuple(images.shape))
            return super().forward(images)

    (tmp_path / "look.pth").write_bytes(b"weights")
    network = replace(network_of(Look(), tiny), scale=(0.5, 0.25), checkpoint=tmp_path / "look.pth")
    path = photograph(tmp_path / "a.png", 64, 128)
    predict_files(network, [path], tmp_path / "out", Wanted(0.5, "none", 0.25, None, False))
    assert read_mask(tmp_path / "out" / "masks" / "a.png").shape == (64, 128)
    assert seen == [(1, 3, 32, 32)]


def test_the_threshold_can_be_another_than_that_of_validation(checkpoint: Path, tmp_path: Path):
    path = photograph(tmp_path / "a.png", 32, 32)
    shares = list[float]()
    for threshold in ("0", "1"):
        main([str(checkpoint), str(path), "--threshold", threshold, "--out", str(tmp_path / "out")])
        shares.append(float(read_mask(tmp_path / "out" / "masks" / "a.png").mean()))
    assert shares == [1.0, 0.0]


def test_overrides_are_taken_wherever_they_stand(checkpoint: Path, tmp_path: Path):
    path = photograph(tmp_path / "a=b.png", 40, 40)
    main([str(checkpoint), str(path), "device=cpu", "--out", str(tmp_path / "out"), "data.image_size=[64,", "64]"])
    assert (tmp_path / "out" / "masks" / "a=b.png").is_file()


def test_with_views_the_threshold_is_the_one_that_evaluation_chooses(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    evaluate([f"model.checkpoint_path={checkpoint}", "evaluation.tta=d4"])
    about = json.loads((checkpoint.parent.parent / "results" / "test-d4" / "metrics.json").read_text())
    path = photograph(tmp_path / "a.png", 40, 40)
    main([str(checkpoint), str(path), "--tta", "d4", "--out", str(tmp_path / "out")])
    assert f"(threshold {about['threshold_of_validation']:.3f};" in capsys.readouterr().out
    with pytest.raises(UserError, match="use --threshold"):
        main([str(checkpoint), str(path), "--tta", "d4", "--out", str(tmp_path / "out"), "data.root=/nowhere"])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--threshold", "1.5"], r"--threshold=1\.5: must be from 0 to 1\."),
        (["--smallest", "-1"], r"--smallest=-1: "),
        (["--smallest", "5", "--clean"], r"--smallest=5 "),
        (["--overlap", "1"], r"--overlap=1\.0: must be from 0 to 0\.9\."),
        (["nowhere.jpg"], r"No such photograph: nowhere\.jpg \(/.*nowhere\.jpg\)\."),
        (["no=where.jpg"], r"No such photograph: no=where\.jpg \(/.*"),
        (["evaluation.tta=d4"], r"evaluation\.tta=d4: "),
        (["--out", "pyproject.toml"], r"--out=pyproject\.toml: "),
    ],
)
def test_a_mistake_is_one_sentence(words: list[str], sentence: str, tmp_path: Path):
    path = photograph(tmp_path / "a.png", 8, 8)
    checkpoint = tmp_path / "best_model.pth"
    checkpoint.touch()
    with pytest.raises(UserError, match=sentence):
        main([str(checkpoint), str(path), *words])


def test_several_checkpoints_give_the_mask_that_the_evaluation_of_their_mean_scores(
    tiny: list[str], tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    two = [str(trained([*tiny, f"seed={seed}"], tmp_path / f"{seed}.pth")) for seed in (1, 2)]
    evaluate([f"model.checkpoint_path=[{','.join(two)}]", "evaluation.save_predictions=true"])
    folder = Path(capsys.readouterr().out.splitlines()[-1])
    main([*two, str(tiny_data / "test" / "images"), "--out", str(tmp_path / "out")])
    said = capsys.readouterr().out
    about = json.loads((folder / "metrics.json").read_text())
    assert about["checkpoint"] == two
    assert f"(threshold {about['threshold_of_validation']:.3f};" in said
    scored = list_images(folder / "masks")
    assert len(scored) == 3
    for path in scored:
        np.testing.assert_array_equal(read_mask(tmp_path / "out" / "masks" / path.name), read_mask(path))


def test_several_checkpoints_without_validation_photographs_need_a_threshold(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    two = [str(trained([*tiny, f"seed={seed}"], tmp_path / f"{seed}.pth")) for seed in (1, 2)]
    path = photograph(tmp_path / "a.png", 32, 32)
    words = [*two, str(path), "--out", str(tmp_path / "out"), "data.root=/nowhere"]
    with pytest.raises(UserError, match="--threshold"):
        main(words)
    main([*words, "--threshold", "0.3"])
    assert "(threshold 0.300;" in capsys.readouterr().out


def test_photographs_of_12_bits_are_predicted_once_that_is_said(checkpoint: Path, tmp_path: Path):
    eight = np.random.default_rng(0).integers(128, 256, (32, 32, 3), dtype=np.uint8)
    for folder, values in (("eight", eight), ("deep", eight.astype(np.uint16) * 16 + 7)):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "a.png"), values)
    main([str(checkpoint), str(tmp_path / "eight"), "--out", str(tmp_path / "out8"), "--threshold", "0.4"])
    with pytest.raises(UserError, match=r"data\.bits=12"):
        main([str(checkpoint), str(tmp_path / "deep"), "--out", str(tmp_path / "out12")])
    words = ["--out", str(tmp_path / "out12"), "--threshold", "0.4", "data.bits=12"]
    main([str(checkpoint), str(tmp_path / "deep"), *words])
    one, other = (read_mask(tmp_path / out / "masks" / "a.png") for out in ("out8", "out12"))
    np.testing.assert_array_equal(one, other)


def test_files_that_are_no_photographs_are_named_and_the_others_are_predicted(checkpoint: Path, tmp_path: Path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_text("no picture")
    photograph(tmp_path / "in" / "b.png", 40, 40)
    with pytest.raises(UserError, match=r"1 of 2 photographs could not be read\. Cannot decode .*a\.png"):
        main([str(checkpoint), str(tmp_path / "in"), "--out", str(tmp_path / "out")])
    assert (tmp_path / "out" / "masks" / "b.png").is_file()


def test_what_lies_in_a_folder_and_cannot_be_read_does_not_keep_the_others_from_it(checkpoint: Path, tmp_path: Path):
    photograph(tmp_path / "photos" / "good.png", 32, 32)
    (tmp_path / "photos" / "bad.png").symlink_to("nowhere.png")
    with pytest.raises(UserError, match=r"1 of 2 photographs could not be read.*bad\.png: No such file"):
        main([str(checkpoint), str(tmp_path / "photos"), "--out", str(tmp_path / "out")])
    assert (tmp_path / "out" / "masks" / "good.png").is_file()


def test_masks_that_are_no_predictions_are_not_replaced(tiny_data: Path, tmp_path: Path):
    (tmp_path / "mine" / "masks").mkdir(parents=True)
    for out in (tiny_data / "test", tmp_path / "mine"):
        with pytest.raises(UserError, match="would be overwritten"):
            main(["x.pth", str(tiny_data / "test" / "images"), "--out", str(out)])


def test_parts_of_fewer_pixels_are_removed_from_the_photographs_own_mask(checkpoint: Path, tmp_path: Path):
    path = photograph(tmp_path / "a.png", 64, 64)
    for words in ([], ["--smallest", "30"]):
        main([str(checkpoint), str(path), "--threshold", "0.5", "--out", str(tmp_path / "out"), *words])
        mask = read_mask(tmp_path / "out" / "masks" / "a.png")
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        sizes = stats[1:, cv2.CC_STAT_AREA]
        assert not words or sizes.min(initial=30) >= 30
        assert words or sizes.min(initial=30) < 30


def test_the_cleaning_of_the_checkpoint_is_used_for_its_own_threshold(checkpoint: Path, tmp_path: Path):
    path = photograph(tmp_path / "a.png", 64, 64)
    payload = load_checkpoint(checkpoint)
    save_checkpoint(payload | {"cleaning": {"low": 0.0, "high": 0.0, "smallest": 0, "gain": 0.1}}, tmp_path / "c.pth")
    main([str(tmp_path / "c.pth"), str(path), "--out", str(tmp_path / "out"), "--clean"])
    assert read_mask(tmp_path / "out" / "masks" / "a.png").all()
    words = ["--clean", "--threshold", "0.9", "data.root=/nowhere"]
    with pytest.raises(UserError, match="leave out --clean"):
        main([str(tmp_path / "c.pth"), str(path), "--out", str(tmp_path / "out"), *words])


def test_a_second_prediction_adds_to_the_table_of_the_first(checkpoint: Path, tmp_path: Path):
    paths = [photograph(tmp_path / f"{name}.png", 40, 40) for name in "abc"]
    for some in (paths[:2], paths[1:]):
        main([str(checkpoint), *map(str, some), "--threshold", "0.4", "--out", str(tmp_path / "out")])
    with (tmp_path / "out" / "predictions.csv").open(newline="") as file:
        assert [row["mask"] for row in csv.DictReader(file)] == ["masks/a.png", "masks/b.png", "masks/c.png"]


def test_photographs_of_a_pixel_in_height_are_predicted(checkpoint: Path, tmp_path: Path):
    paths = [photograph(tmp_path / f"{name}.png", *size) for name, size in {"a": (1, 3000), "b": (2500, 2)}.items()]
    main([str(checkpoint), *map(str, paths), "--threshold", "0.4", "--out", str(tmp_path / "out")])
    assert (tmp_path / "out" / "least_sure.png").is_file()
