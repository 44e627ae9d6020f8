"""The benchmarks but for those of the search: do they measure what they say?"""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from analysis.image_counts import ImageCounts
from benchmarks import (
    architecture_memory,
    cache_building,
    cluster,
    interval_coverage,
    result_loading,
    same_place,
    search_cost,
    search_on_images,
    sweep_overhead,
    sweep_wall_clock,
)
from src.cores import available_cores
from src.data import cache
from src.datasets.duplicates import DuplicatePair


@pytest.mark.slow
def test_the_cost_of_a_trial_is_measured_at_its_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(search_cost, "WINDOW", 1)
    early, late = search_cost.seconds_per_trial(60, [20, 59], tmp_path)
    assert 0 < early < 60
    assert 0 < late < 60


@pytest.mark.slow
def test_searches_on_images_spend_the_same_epochs_and_their_best_only_gets_better(tiny: list[str], tmp_path: Path):
    words = [word for word in tiny if not word.startswith(("threads=", "training.epochs="))]
    shape = ["--epochs", "4", "--max-epochs", "3", "--seeds", "2", "--keep", str(tmp_path / "kept")]
    search_on_images.main(["quickstart", *words, *shape])
    found = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "kept").iterdir()}
    assert len(found) == 4
    for values in found.values():
        assert len(values) == 4
        assert values == sorted(values)
        assert 0 < values[-1] <= 1


@pytest.mark.slow
def test_a_whole_sweep_is_timed_beside_the_recipe(tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    kept = tmp_path / "found.json"
    shape = ["--pairs", "1", "--trials", "2", "--epochs", "2", "--json", str(kept)]
    sweep_wall_clock.main([str(tiny_data), *shape])
    assert "wall clock, ours by the recipe's: median" in capsys.readouterr().out
    (pair,) = json.loads(kept.read_text())
    for side in pair.values():
        assert side["seconds"] > 0
        assert 0 < side["epochs"] <= 4
        assert 0 <= side["best"] <= 1
    assert 0 < pair["ours"]["busy"] < 1


@pytest.mark.slow
def test_a_process_that_is_reused_and_one_for_each_trial_are_compared(capsys: pytest.CaptureFixture[str]):
    sweep_overhead.main(["--trials", "4"])
    said = capsys.readouterr().out
    assert "reused process" in said
    assert "process a trial" in said


def test_a_made_up_sweep_reads_as_it_was_made(capsys: pytest.CaptureFixture[str]):
    result_loading.main(["--trials", "3", "--epochs", "2"])
    assert "3 trials with 2 reports each" in capsys.readouterr().out


@pytest.mark.parametrize("folds", [0, 5])
def test_intervals_of_a_made_up_world_hold_its_truth_about_as_often_as_they_say(folds: int):
    world = interval_coverage.World(gain=0.1, folds=folds, seeds=1 if folds else 5)
    mean, gain, width = interval_coverage.coverage(world, 60)
    assert 0.8 < mean <= 1
    assert 0.8 < gain <= 1
    assert 0 < width < 0.2


def test_the_noise_of_retraining_is_measured_in_its_parts(tmp_path: Path):
    """Histograms drawn with known noise give that noise again."""
    random = np.random.default_rng(0)
    images, seeds, pixels = 400, 40, 10_000
    difficulty, luck = random.normal(0, 0.7, images), random.normal(0, 0.3, (2, seeds))
    liking = random.normal(0, 0.2, (2, images))
    rows = ["configuration,seed,folder"]
    for number, name in enumerate(("t0", "t1")):
        for seed in range(seeds):
            odds = difficulty + luck[number, seed] + liking[number] + random.normal(0, 0.4, images) + 0.5 * number
            found = (pixels / (1 + np.exp(-odds))).astype(int)
            histogram = np.zeros((images, 2, 256), dtype=np.int64)
            histogram[:, 1, 255], histogram[:, 1, 0] = found, pixels - found
            run = tmp_path / f"{name}-{seed}"
            (run / "results").mkdir(parents=True)
            names = tuple(str(image) for image in range(images))
            ImageCounts(histogram, 128, names, names).save(run)
            rows.append(f"{name},{seed},{run.name}")
    (tmp_path / "runs.csv").write_text("\n".join(rows))
    found = interval_coverage.measured(tmp_path)
    assert (found.seeds, found.photographs) == (seeds, images)
    assert found.union_sd == pytest.approx(0, abs=1e-9)
    assert found.photograph_sd == pytest.approx(0.7, rel=0.15)
    assert found.rest_sd == pytest.approx(0.4, rel=0.05)
    assert found.liking_sd == pytest.approx(0.2, rel=0.15)
    assert found.seed_sd == pytest.approx(0.3, rel=0.3)
    assert found.gain == pytest.approx(0.5, abs=0.15)


def test_the_cache_is_built_by_as_many_threads_as_are_timed(tiny_data: Path, tmp_path: Path):
    before, seen = cache.ThreadPoolExecutor, list[int]()

    def count(threads: int | None = None) -> ThreadPoolExecutor:
        seen.extend([threads] if threads else [])
        return before(threads)

    with patch.object(cache, "ThreadPoolExecutor", count):
        times = cache_building.measure(tiny_data, (32, 32), tmp_path, repeats=2)
    cores = available_cores()
    assert seen == [1] * 3 + ([1] * 3 + [cores] * 3) * 2  # a pool a split
    assert [len(part) for part in times] == [2, 2, 2]
    assert len({folder.name for folder in tmp_path.glob("*/*-32x32")}) == 3


@pytest.mark.slow
def test_predicted_and_real_memory_of_architectures_are_told_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Measuring itself is in the tests of what is predicted."""
    monkeypatch.setattr(architecture_memory, "measured_on_cpu", lambda overrides: 400.0)
    monkeypatch.setattr(architecture_memory.torch.cuda, "is_available", lambda: False)
    shape = ["--size", "32", "--batch", "2", "--batch", "4", "--only", "linknet", "--measure"]
    architecture_memory.main([*shape, "--json", str(tmp_path / "found.json")])
    found = json.loads((tmp_path / "found.json").read_text())
    assert [row["batch"] for row in found] == [2, 4]
    for row in found:
        assert row["architecture"] == "linknet"
        assert row["parameters_million"] == 21.8
        assert row["needed_mib"] > row["predicted_mib"] > 4 * row["parameters_million"]
        assert row["fits_8gb"]
        assert row["predicted_by_measured"] == pytest.approx(row["predicted_mib"] / 400, abs=0.001)
    assert capsys.readouterr().out.count("measured_mib 400") == 2


def test_pairs_of_one_place_are_scored_by_kind_and_by_the_groups_they_make():
    kin = [DuplicatePair(0, 1, "touch", 9.0), DuplicatePair(1, 2, "overlap", 9.0), DuplicatePair(3, 4, "touch", 9.0)]
    case = same_place.Case("five", [np.zeros((8, 8), np.uint8)] * 5, same_place.same(["a", "a", "a", "b", "c"]))
    with patch.object(same_place, "find_duplicates", lambda greys: kin):
        found = {one.kind: (one.pairs, one.right, round(one.recall, 2)) for one in same_place.scores(case)}
    assert found == {"overlap": (1, 1, 0.33), "touch": (2, 1, 0.33), "all": (3, 2, 0.67), "groups": (4, 3, 1.0)}


def test_made_sets_of_pictures_are_of_one_size_and_say_what_belongs_together(tmp_path: Path):
    pictures = same_place.photographs(tmp_path)["synthetic"][:2]
    unrelated = list(same_place.unrelated(pictures, "x"))
    related = list(same_place.related(pictures, "x"))
    assert not list(same_place.real(tmp_path))
    assert all(not case.together and len(case.greys) == 2 for case in unrelated)
    assert all(case.together for case in related)
    assert {len(case.together) for case in related} == {2, 20}  # a pair each, and five pieces that overlap
    sides = {grey.shape for case in [*unrelated, *related] for grey in case.greys}
    assert sides == {(256, 256), (200, 200)}


def test_the_benchmark_of_places_says_what_is_right_of_all_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with patch.object(same_place, "COUNT", 3):
        same_place.main([str(tmp_path), "--only", "tiles that touch", "--json", str(tmp_path / "found.json")])
    said = capsys.readouterr().out
    assert "touch: 6 of 6 pairs are right, 1.0000." in said
    assert "cfd is not in" in said
    assert {row["kind"] for row in json.loads((tmp_path / "found.json").read_text())} == {"touch", "all", "groups"}


@pytest.mark.parametrize(("first", "last", "seconds"), [(0, 10, 5), (6, 8, 2), (0, 4, 0), (8, 99, 2), (0, 99, 5)])
def test_of_an_epoch_only_what_lies_in_the_measured_time_counts(first: float, last: float, seconds: float):
    assert cluster.overlap(first, last, 5, 10) == seconds


@pytest.mark.slow
def test_the_driver_of_a_cluster_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    found = tmp_path / "found.json"
    cluster.main(["driver", "--places", "2", "--minutes", "0.7", "--json", str(found)])
    (row,) = json.loads(found.read_text())["driver"]
    assert row["places"] == 2
    assert 0.5 < row["share"] <= 1
