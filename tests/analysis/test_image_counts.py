"""What trainings have scored on test, and that it comes back as it was kept."""

from pathlib import Path

import numpy as np
import pytest

from analysis.image_counts import ImageCounts, groups_of, load_image_counts, scored
from src.scoring.metrics import scores_at

HISTOGRAM = np.random.default_rng(0).integers(0, 50, (4, 2, 256))
COUNTED = ImageCounts(HISTOGRAM, 90, ("a", "b", "c", "d"), ("road7", "road7", "c", "d"))


def test_the_parts_of_a_metric_are_at_the_threshold_of_validation():
    sums = COUNTED.parts("val/iou_best").sum(axis=0)
    assert sums[0] / sums[1] == pytest.approx(scores_at(HISTOGRAM, 90)["iou"])


def test_the_scores_are_those_at_the_threshold_of_validation():
    assert COUNTED.scores == {name: scores_at(HISTOGRAM, 90)[name] for name in ("iou", "f1")}
    assert COUNTED.threshold == 90 / 256


def test_crack_pixels_are_those_of_the_masks_whatever_was_found():
    assert COUNTED.crack_pixels == [int(image[1].sum()) for image in HISTOGRAM]


def test_it_comes_back_as_it_was_kept_and_from_an_unscored_run_nothing(tmp_path: Path):
    (tmp_path / "results").mkdir()
    assert ImageCounts.load(tmp_path) is None
    COUNTED.save(tmp_path)
    found = ImageCounts.load(tmp_path)
    assert found is not None
    assert (found.histogram == HISTOGRAM).all()
    assert (found.number, found.images, found.groups) == (COUNTED.number, COUNTED.images, COUNTED.groups)
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["test_histogram.npz"]


def test_groups_are_those_of_the_manifest_and_without_one_every_image_is_its_own(tmp_path: Path):
    assert groups_of(tmp_path, ["a", "b"]) == ("a", "b")
    (tmp_path / "manifest.csv").write_text("file,split,group\na,test,road7\nb,test,road7\n")
    assert groups_of(tmp_path, ["a", "b", "c"]) == ("road7", "road7", "c")


def test_the_runs_of_one_configuration_that_were_scored_are_found_by_seed(tmp_path: Path):
    lines = ["configuration,seed,folder", "good,0,t0", "good,2,t1", "good,3,failed", "other,0,t2"]
    (tmp_path / "runs.csv").write_text("\n".join(lines))
    for name in ("t0", "t1", "t2"):
        (tmp_path / name / "results").mkdir(parents=True)
        COUNTED.save(tmp_path / name)
    assert list(load_image_counts(tmp_path, "good")) == [0, 2]


def test_the_folds_of_a_seed_are_one_and_a_seed_that_lacks_a_fold_is_left_out(tmp_path: Path):
    lines = ["configuration,seed,fold,folder", "good,0,2,t1", "good,0,1,t0", "good,1,1,t2", "other,0,1,t3"]
    (tmp_path / "runs.csv").write_text("\n".join(lines))
    other = ImageCounts(HISTOGRAM[:1], 40, ("e",), ("e",))
    for name, counts in {"t0": COUNTED, "t1": other, "t2": COUNTED, "t3": COUNTED}.items():
        (tmp_path / name / "results").mkdir(parents=True)
        counts.save(tmp_path / name)
    ((seed, found),) = load_image_counts(tmp_path, "good").items()
    assert (seed, found.images, found.groups) == (0, ("a", "b", "c", "d", "e"), ("1", "1", "1", "1", "2"))
    assert found.crack_pixels == [*COUNTED.crack_pixels, *other.crack_pixels]
    parts = [COUNTED.parts("val/iou_best"), other.parts("val/iou_best")]  # each at its own threshold
    np.testing.assert_array_equal(found.parts("val/iou_best"), np.concatenate(parts))
    assert scored([found], "val/iou_best").by_fold
