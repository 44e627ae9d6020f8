"""Evaluation of a checkpoint that is told nothing else."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.config.overrides import Overrides
from src.config.schema import MetricName
from src.data.cache import load_split
from src.data.files import list_images, read_image
from src.data.masks import read_mask
from src.errors import UserError
from src.evaluation import find_checkpoints, main
from src.scoring.pictures import LEGEND, overlay
from src.training.experiment import read_rows

ALL: tuple[str, ...] = MetricName.__args__


def results_of(checkpoint: Path, *words: str) -> Path:
    """The folder with the results of ``python -m src.evaluation`` with these words."""
    main([f"model.checkpoint_path={checkpoint}", *words])
    split = next((word.partition("=")[2] for word in words if word.startswith("evaluation.split=")), "test")
    return checkpoint.parent.parent / "results" / split


def metrics_in(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "metrics.json").read_text())


def table_in(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_the_validation_split_scores_what_training_reported(checkpoint: Path):
    about = metrics_in(results_of(checkpoint, "evaluation.split=val"))
    best = read_rows(checkpoint.parent.parent / "metrics" / "metrics.csv")[about["epoch"] - 1]
    assert about["iou_at_validation_threshold"] == about["iou_of_oracle"] == float(best["val/iou_best"])
    assert about["iou_at_0.5"] == float(best["val/iou"])
    assert about["threshold_of_validation"] == float(best["val/threshold"])


def test_the_threshold_of_validation_is_kept_on_the_test_split_and_the_oracle_is_never_worse(checkpoint: Path):
    about = metrics_in(results_of(checkpoint))
    rows = read_rows(checkpoint.parent.parent / "metrics" / "metrics.csv")
    assert about["threshold_of_validation"] == float(rows[about["epoch"] - 1]["val/threshold"])
    assert about["iou"] == about["iou_at_validation_threshold"]
    assert about["iou_of_oracle"] >= max(about["iou_at_validation_threshold"], about["iou_at_0.5"])


def test_the_command_of_the_guide_prints_and_writes_what_it_asks_for(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
):
    asked = ['evaluation.metrics=["iou",', '"f1",', '"precision",', '"recall"]']
    folder = results_of(checkpoint, *asked, "evaluation.save_confusion_matrix=True")
    said = capsys.readouterr().out
    about = metrics_in(folder)
    for name in ("iou", "f1", "precision", "recall"):
        assert f"\n{name:28} {about[name]:.4f}" in said
    assert "iou_image" not in said
    assert said.splitlines()[-1] == str(folder)
    assert not (folder / "masks").exists()


def test_every_metric_can_be_asked_for(checkpoint: Path):
    folder = results_of(checkpoint, f"evaluation.metrics=[{','.join(ALL)}]")
    about = metrics_in(folder)
    assert all(0 <= about[name] <= 1 for name in ALL)
    rows = table_in(folder / "images.csv")
    assert len(rows) == about["images"] == 3
    assert list(rows[0])[: 1 + len(ALL)] == ["image", *ALL]
    assert np.mean([float(row["iou"]) for row in rows]) == pytest.approx(about["iou_image"])


def test_the_confusion_matrix_holds_every_pixel_and_gives_the_scores(checkpoint: Path):
    folder = results_of(checkpoint, "evaluation.save_confusion_matrix=true")
    background, crack = table_in(folder / "confusion_matrix.csv")
    assert (background["mask"], crack["mask"]) == ("no crack", "crack")
    (tn, fp), (fn, tp) = ((int(row["predicted no crack"]), int(row["predicted crack"])) for row in (background, crack))
    assert tn + fp + fn + tp == 3 * 32 * 32
    assert metrics_in(folder)["iou"] == pytest.approx(tp / (tp + fp + fn))
    assert read_image(folder / "confusion_matrix.png").std() > 10


def test_the_curve_passes_through_the_scores_at_the_threshold(checkpoint: Path):
    folder = results_of(checkpoint)
    about, points = metrics_in(folder), table_in(folder / "precision_recall.csv")
    assert len(points) == 256
    (chosen,) = (row for row in points if float(row["threshold"]) == about["threshold_of_validation"])
    assert float(chosen["precision"]) == about["precision"]
    assert float(chosen["recall"]) == about["recall"]
    assert read_image(folder / "precision_recall.png").std() > 10


def test_saved_masks_and_overlays_are_what_was_scored(
    checkpoint: Path, tiny_data: Path, tiny_cache: Path, capsys: pytest.CaptureFixture[str]
):
    folder = results_of(checkpoint, "evaluation.save_predictions=True")
    assert LEGEND in capsys.readouterr().out
    split = load_split(tiny_data, "test", (32, 32), tiny_cache)
    scores = {row["image"]: float(row["iou"]) for row in table_in(folder / "images.csv")}
    assert [path.stem for path in list_images(folder / "masks")] == list(split.stems) == sorted(scores)
    for index, stem in enumerate(split.stems):
        image, actual = split.sample(index)
        predicted = read_mask(folder / "masks" / f"{stem}.png")
        either = (predicted | actual).sum()
        assert scores[stem] == pytest.approx((predicted & actual).sum() / either if either else 1)
        np.testing.assert_array_equal(
            read_image(folder / "overlays" / f"{stem}.png"), overlay(image.copy(), predicted, actual)
        )


def test_test_time_augmentation_has_results_of_its_own(checkpoint: Path):
    plain = results_of(checkpoint)
    before = (plain / "metrics.json").read_bytes()
    results_of(checkpoint, "evaluation.tta=d4")
    about = metrics_in(plain.with_name("test-d4"))
    assert (about["tta"], metrics_in(plain)["tta"]) == ("d4", "none")
    assert (plain / "metrics.json").read_bytes() == before


def test_nothing_of_an_evaluation_before_stays_beside_a_new_one(checkpoint: Path):
    folder = results_of(checkpoint, "evaluation.save_predictions=true", "evaluation.save_confusion_matrix=true")
    (folder / "notes.txt").touch()  # not ours
    written = {path.name for path in folder.iterdir()}
    results_of(checkpoint)
    assert {path.name for path in folder.iterdir()} == written - {
        "masks", "overlays", "confusion_matrix.csv", "confusion_matrix.png"
    }  # fmt: skip


def test_an_evaluation_that_fails_leaves_the_results_before_it(checkpoint: Path):
    folder = results_of(checkpoint, "evaluation.save_predictions=true")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="No such folder"):
        results_of(checkpoint, "evaluation.save_predictions=true", "data.root=/nowhere")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert not [path for path in folder.parent.iterdir() if path.name.startswith(".")]


def test_the_last_network_of_a_run_has_results_of_its_own(checkpoint: Path):
    best = metrics_in(results_of(checkpoint))
    main([f"model.checkpoint_path={checkpoint.with_name('last.pth')}"])
    results = checkpoint.parent.parent / "results"
    assert metrics_in(results / "test") == best
    assert metrics_in(results / "test-last")["checkpoint"].endswith("last.pth")


def test_results_lie_in_the_runs_folder_wherever_one_stands(checkpoint: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(checkpoint.parent)
    main(["model.checkpoint_path='best_model.pth'"])
    assert (checkpoint.parent.parent / "results" / "test" / "metrics.json").is_file()


def test_the_results_say_which_data_were_scored_at_which_size(checkpoint: Path, tiny_data: Path):
    about = metrics_in(results_of(checkpoint, "data.image_size=[64,64]"))
    assert (about["data_root"], about["image_size"]) == (str(tiny_data), "64x64")


def test_a_checkpoint_outside_of_a_run_has_its_results_beside_it(checkpoint: Path, tmp_path: Path):
    moved = tmp_path / "best.pth"
    moved.write_bytes(checkpoint.read_bytes())
    main([f"model.checkpoint_path={moved}"])
    assert (tmp_path / "results" / "test" / "metrics.json").is_file()


def test_without_a_checkpoint_the_command_says_which_key():
    with pytest.raises(UserError, match=r"model\.checkpoint_path "):
        main(["evaluation.split=val"])


def test_a_metric_that_does_not_exist_is_refused_with_the_legal_ones(checkpoint: Path):
    with pytest.raises(UserError, match=r"evaluation\.metrics\.0=dice.*'iou', 'f1', 'precision'"):
        main([f"model.checkpoint_path={checkpoint}", "evaluation.metrics=[dice]"])


def test_an_architecture_that_is_not_the_checkpoints_is_refused(checkpoint: Path):
    with pytest.raises(UserError, match="weights of another network"):
        main([f"model.checkpoint_path={checkpoint}", "model.decoder.decoder_channels=[32,32,16,16,8]"])


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("a.pth", ["a.pth"]),
        ("[a.pth,b.pth]", ["a.pth", "b.pth"]),
        ("[old]/x.pth", ["[old]/x.pth"]),
        ('["a, b.pth", c.pth]', ["a, b.pth", "c.pth"]),
    ],
)
def test_one_checkpoint_or_a_list_of_them_is_named(
    text: str, paths: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    for name in paths:
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    found = find_checkpoints(Overrides.parse([f"model.checkpoint_path={text}"]))
    assert [str(path) for path in found] == paths


@pytest.mark.parametrize("text", ["", "[]", "[1,2]", "[a: b]", "['a]"])
def test_what_names_no_checkpoint_is_refused(text: str):
    with pytest.raises(UserError, match=r"model\.checkpoint_path"):
        find_checkpoints(Overrides.parse([f"model.checkpoint_path={text}"]))


def test_the_worst_images_are_first_and_their_errors_are_counted(checkpoint: Path, capsys: pytest.CaptureFixture[str]):
    folder = results_of(checkpoint, "evaluation.split=train")
    rows = table_in(folder / "images.csv")
    scores = [float(row["iou"]) for row in rows]
    assert scores == sorted(scores)
    assert {"edge_pixels", "missed_length", "false_cracks"} <= rows[0].keys()
    widths = table_in(folder / "errors.csv")
    total = sum(float(row["length"]) for row in rows)
    assert sum(float(row["length_px"]) for row in widths) == pytest.approx(total, abs=1)
    assert (folder / "worst.png").is_file()
    assert "of the length of cracks is missed" in capsys.readouterr().out
