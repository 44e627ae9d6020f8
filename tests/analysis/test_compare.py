"""Two sweeps side by side."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from finished import FinishedSweep

from analysis.compare import (
    best_at,
    curves_table,
    difference_sentences,
    different_data_warning,
    differing,
    fresh_seed_sentences,
    main,
)
from analysis.figures import best_so_far
from analysis.image_counts import ImageCounts
from analysis.intervals import Interval
from analysis.results import SweepResults, load_sweep
from src.errors import UserError

METRIC = "val/iou_best"


@pytest.fixture
def pair(finished_sweep: FinishedSweep, tmp_path: Path) -> tuple[SweepResults, SweepResults]:
    """The sweep and a copy of it that was begun a day later, in folders of the test."""
    for name in ("mine", "theirs"):
        ignored = shutil.ignore_patterns("ray", "logs", "checkpoints")
        shutil.copytree(finished_sweep.folder, tmp_path / "sweeps" / name, ignore=ignored)
    one, other = load_sweep("mine", tmp_path), load_sweep("theirs", tmp_path)
    other.trials["started"] += pd.Timedelta(days=1)
    return one, other


def retrained(sweep: SweepResults, seeds: int, luck: float, size: int = 6, epochs: int = 6) -> None:
    """A verdict beside the sweep, whose networks find a share of ``luck`` more or less of the crack pixels."""
    folder = sweep.folder.parents[1] / "retrain" / sweep.name
    folder.mkdir(parents=True)
    verdict = {"sweep_begun": sweep.begun, "contenders": [], "chosen": "t0001", "epochs": epochs}
    (folder / "verdict.json").write_text(json.dumps(verdict))
    rows = ["configuration,seed,folder"]
    for seed in range(seeds):
        run = folder / f"t{seed}"
        (run / "results").mkdir(parents=True)
        histogram = np.zeros((size, 2, 256), dtype=np.int64)
        histogram[:, 0, 0] = 1000
        found = (np.arange(size) + 50 + 100 * luck + seed).astype(int)
        histogram[:, 1, 255], histogram[:, 1, 0] = found, 200 - found
        names = tuple(str(number) for number in range(size))
        ImageCounts(histogram, 128, names, names).save(run)
        rows.append(f"t0001,{seed},t{seed}")
    (folder / "runs.csv").write_text("\n".join(rows))


def test_the_same_sweep_twice_differs_in_nothing(pair: tuple[SweepResults, SweepResults]):
    assert differing(*pair) == []
    assert different_data_warning(*pair) == []


def test_what_differs_is_named_with_both_values(pair: tuple[SweepResults, SweepResults]):
    one, other = pair
    other.identity["space: training.loss"] = "one of dice"
    other.identity["src/training/losses.py"] = other.identity["src/training/trainer.py"] = "changed"
    other.about["budget"]["trials"] = 9
    other.about["provenance"]["packages"]["torch"] = "1.0"
    found = {name: (here, there) for name, here, there in differing(one, other)}
    assert found["space: training.loss"] == (one.identity["space: training.loss"], "one of dice")
    assert found["budget: trials"] == ("4", "9")
    assert found["made: torch"][1] == "1.0"
    assert found["code"] == ("2 files: src/training/losses.py, src/training/trainer.py", "")
    assert len(found) == 4


def test_a_copy_is_compared_on_the_screen_with_a_figure_and_a_table(
    pair: tuple[SweepResults, SweepResults], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    main(["mine", "theirs", "--output-root", str(tmp_path)])
    said = capsys.readouterr().out
    assert "mine: finished, 4 trials" in said
    assert "retrain-best mine, retrain-best theirs" in said
    assert "cannot be compared" not in said
    picture = tmp_path / "compare" / "mine_theirs" / "best_so_far.png"
    assert str(picture) in said
    table = pd.read_csv(picture.with_suffix(".csv"))
    assert set(table["sweep"]) == {"mine", "theirs"}
    assert max(table["best"].tolist()) == max(pair[0].trials["score"].tolist())


def test_the_best_so_far_is_told_at_equal_epochs(pair: tuple[SweepResults, SweepResults]):
    curve = best_so_far(pair[0], METRIC)
    assert best_at(curve, len(pair[0].reports)) == f"{pair[0].trials['score'].max():.4f}"
    assert (best_at(curve, 0), best_at(curve, len(pair[0].reports) + 1)) == ("", "")
    short = curve.iloc[:4]
    table = curves_table({"mine": curve, "theirs": short}, METRIC)
    epochs, mine, theirs = (list(column.cells) for column in table.columns)
    assert epochs == ["1", "2", "4", str(len(curve))]
    assert mine[:3] == theirs[:3]
    assert theirs[3] == ""


def test_a_failed_trial_has_spent_epochs_but_is_not_the_best(pair: tuple[SweepResults, SweepResults]):
    sweep, _ = pair
    best = sweep.trials["score"].tolist()[0]
    sweep.trials.loc[0, "state"] = "failed"
    curve = best_so_far(sweep, METRIC)
    assert max(curve["best"].tolist()) == sweep.trials["score"].tolist()[1]
    assert sweep.trials["score"].tolist()[1] < best
    assert curve["epochs"].iloc[-1] == len(sweep.reports)


def test_a_difference_on_fresh_seeds_has_an_interval(pair: tuple[SweepResults, SweepResults]):
    for sweep, luck in zip(pair, (0.0, 0.2), strict=True):
        retrained(sweep, seeds=3, luck=luck)
    (sentence,) = fresh_seed_sentences(*pair, METRIC)
    assert sentence.startswith("mine's choice t0001 is worse than theirs's t0001 on the test split, with 3 fresh seeds")
    assert "iou_best -0.1000 [-0.1000, -0.1000]" in sentence
    (other_way,) = fresh_seed_sentences(pair[1], pair[0], METRIC)
    assert "is better than mine's t0001" in other_way


def test_choices_that_were_not_trained_as_long_are_called_so(pair: tuple[SweepResults, SweepResults]):
    for sweep, epochs in zip(pair, (6, 18), strict=True):
        retrained(sweep, seeds=3, luck=0.0, epochs=epochs)
    *_, sentence = fresh_seed_sentences(*pair, METRIC)
    assert "for 6 epochs, the other for 18" in sentence


def test_folders_that_were_moved_are_no_difference(pair: tuple[SweepResults, SweepResults]):
    pair[1].identity.update({"fixed: data.root": "elsewhere", "fixed: output_root": "elsewhere"})
    assert differing(*pair) == []


def test_what_cannot_be_told_says_why(pair: tuple[SweepResults, SweepResults]):
    retrained(pair[0], seeds=3, luck=0.0)
    assert fresh_seed_sentences(*pair, METRIC)[0].endswith(": retrain-best theirs.")
    retrained(pair[1], seeds=1, luck=0.0)
    assert "two common seeds" in fresh_seed_sentences(*pair, METRIC)[0]
    shutil.rmtree(pair[1].folder.parents[1] / "retrain" / "theirs")
    retrained(pair[1], seeds=3, luck=0.0, size=5)
    assert "test images are not the same" in fresh_seed_sentences(*pair, METRIC)[0]
    assert "no clear difference" in difference_sentences("a", "b", Interval(0.01, 5, 0.02, 20, 0.0), METRIC)[0]


def test_scores_of_other_photographs_are_called_so(pair: tuple[SweepResults, SweepResults]):
    one, other = pair
    assert "cannot be compared" in different_data_warning(one, replace(other, identity={"data": "others"}))[0]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["mine", "mine"], "compared with itself"),
        (["mine", "their"], "Did you mean 'theirs'"),
        (["mine", "theirs", "--metric", "val/dice"], "Unknown metric to compare by 'val/dice'"),
    ],
)
def test_what_cannot_be_compared_is_named(
    pair: tuple[SweepResults, SweepResults], tmp_path: Path, words: list[str], sentence: str
):
    with pytest.raises(UserError, match=sentence):
        main([*words, "--output-root", str(tmp_path)])
