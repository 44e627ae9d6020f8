"""What one is warned of before believing a sweep."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from finished import FinishedSweep

from analysis.checks import checks, edge
from analysis.results import Range, SweepResults, read_folder

SPACE = {"lr": Range(0.001, 0.1, log=True), "loss": Range(choices=("bce", "dice"))}


def sweep(rows: list[dict[str, object]], state: str = "finished") -> SweepResults:
    """Trials with a state, and where they differ: lr 0.01, all 18 epochs, the best at 10, scores by order."""
    whole = {"state": "complete", "epochs": 18, "best_epoch": 10, "lr": 0.01}
    trials = [
        {"trial": f"t{number}", "number": number, "score": 0.9 - number / 10} | whole | row
        for number, row in enumerate(rows)
    ]
    trials.sort(key=lambda row: -float(str(row["score"])))
    params = {str(row["trial"]): {"lr": row["lr"], "loss": "bce"} for row in trials}
    about = {"scheduler": {"rungs": [3, 9], "max_epochs": 18}}
    table = pd.DataFrame(trials, columns=["trial", "number", "state", "epochs", "score", "best_epoch"])
    halved = [{"trial": row["trial"], "micro_batch": row.get("micro_batch")} for row in trials]
    reports = pd.DataFrame(halved if any("micro_batch" in row for row in rows) else [])
    return SweepResults(Path("s"), about, state, table, reports, params, dict.fromkeys(params, SPACE))


GOOD: list[dict[str, object]] = [{"score": 0.1}, {}, {}, {}]


def test_a_sweep_that_nothing_is_wrong_with_has_no_warnings():
    assert checks(sweep(GOOD)) == []


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (sweep(GOOD, state="interrupted"), "The sweep is interrupted"),
        (sweep([*GOOD, {"state": "failed"}, {"state": "failed"}]), "33% of the trials failed"),
        (sweep([GOOD[0], {}, {"state": "stopped"}]), "2 trials were trained to the end"),
        (sweep([{}, {"state": "stopped"}]), "One trial was trained to the end"),
        (sweep([{"score": 0.95}, {}, {}]), "The best trial is the default configuration"),
        (sweep([GOOD[0], {"lr": 0.098}, {}, {}]), "The best lr, 0.098, is at the high edge"),
        (sweep([GOOD[0], {"lr": 0.00101}, {}, {}]), "The best lr, 0.00101, is at the low edge"),
        (sweep([GOOD[0], {"state": "stopped", "epochs": 9}, {}, {}]), "stopped after 9 of 18 epochs"),
        (sweep([GOOD[0], {"best_epoch": 1}, {}, {}]), "The best epoch is 1 of 18: "),
        (
            sweep([GOOD[0], {"best_epoch": 17}, {}, {}]),
            "17 of 18: longer",
        ),
        (sweep([*GOOD, {"micro_batch": 2.0}]), "Memory ran out in t4 (2 images at once)"),
        (sweep([{"state": "failed"}]), "No trial has a score"),
        (sweep([]), "No trial has a score"),
    ],
)
def test_what_should_make_one_careful_is_said(found: SweepResults, sentence: str):
    assert any(sentence in line for line in checks(found)), checks(found)


@pytest.mark.parametrize(
    ("of", "value", "side"),
    [
        (Range(0.001, 0.1, log=True), 0.01, ""),
        (Range(0.001, 0.1, log=True), 0.0012, "low"),
        (Range(0.001, 0.1), 0.0012, "low"),
        (Range(0.0, 1.0), 0.96, "high"),
        (Range(choices=("1", "2")), 1, ""),
        (Range(), 3, ""),
    ],
)
def test_an_edge_is_a_twentieth_of_the_range_on_its_own_scale(of: Range, value: object, side: str):
    assert edge(of, value) == side


def test_problems_of_the_data_that_were_accepted_are_said(finished_sweep: FinishedSweep):
    sweep = read_folder(finished_sweep.folder)
    about = sweep.about | {"accepted": ["problem: 1 constant images: train/a"]}
    said = checks(replace(sweep, about=about))
    assert "The data was accepted with a problem: 1 constant images: train/a. Scores may be too good." in said


def test_what_was_warned_of_before_the_search_is_said_again():
    found = sweep(GOOD)
    assert "The rung is too early." in checks(
        replace(found, about=found.about | {"warnings": ["The rung is too early."]})
    )
