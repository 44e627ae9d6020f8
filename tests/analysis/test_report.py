"""The page of a sweep."""

import html
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from finished import FinishedSweep

from analysis.leaderboard import rerun_command
from analysis.report import answer, main, write_report
from analysis.results import SweepResults, load_sweep

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture
def sweep(finished_sweep: FinishedSweep) -> SweepResults:
    return load_sweep("tiny_sweep", finished_sweep.output_root)


@pytest.fixture(scope="module")
def page(finished_sweep: FinishedSweep, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    main(["tiny_sweep", "--output-root", str(finished_sweep.output_root), "--out", str(out)])
    return out / "report.html"


def test_the_page_has_the_answer_the_trials_and_where_it_comes_from(page: Path, sweep: SweepResults):
    text = page.read_text()
    for name in sweep.params:
        assert text.count(f">{name}<") == 1
    assert f"In the search, {sweep.ranked['trial'].iloc[0]} was the best" in text
    assert sweep.about["provenance"]["commit"] in text
    assert "Which learning rate and loss suit a tiny U-Net?" in text
    assert "0.005 to 10.0 (log)" in text


def test_the_page_needs_nothing_from_anywhere(page: Path):
    text = page.read_text()
    assert not re.findall(r"(?:src|href)=\"(?!data:)", text)
    assert "<script" not in text
    figures = len(list(page.parent.glob("*.png"))) - 1  # the predictions
    assert text.count("data:image/svg+xml;base64,") == 2 * figures  # for a page, and for a telephone
    assert text.count("data:image/png;base64,") == 1


def test_no_command_makes_the_table_of_trials_wide(page: Path, sweep: SweepResults):
    text = page.read_text()
    assert text.count("overrides.yaml") == 1
    assert rerun_command(sweep, "TRIAL") in html.unescape(text)


def test_a_parameter_has_three_significant_digits(page: Path, sweep: SweepResults):
    values = [params["training.optimizer.lr_scale"] for params in sweep.params.values()]
    assert all(f"<td>{value:.3g}</td>" in page.read_text() for value in values)
    assert not [value for value in values if len(str(value)) > 8 and str(value) in page.read_text()]


def test_the_same_sweep_has_the_same_page(page: Path, sweep: SweepResults, tmp_path: Path):
    again = write_report(sweep, tmp_path)
    assert again.read_bytes() == page.read_bytes()


def test_every_figure_is_also_a_picture_and_a_table(page: Path):
    pictures = {path.stem for path in page.parent.glob("*.png")}
    tables = {path.stem for path in page.parent.glob("*.csv")}
    assert pictures - {"predictions"} == tables >= {"learning_curves", "progress", "slices", "savings"}
    assert "predictions" in pictures
    for path in page.parent.glob("*.csv"):
        assert not pd.read_csv(path).empty


def test_a_verdict_on_fresh_seeds_comes_before_what_the_search_says(sweep: SweepResults, tmp_path: Path):
    assert any("retrain-best tiny_sweep" in line for line in answer(sweep))
    folder = tmp_path / "retrain" / "tiny_sweep"
    folder.mkdir(parents=True)
    best = sweep.ranked["trial"].iloc[0]
    verdict = {
        "sweep_begun": sweep.begun,
        "contenders": [best],
        "sentences": ["t0001 is better than the default by 1."],
    }
    (folder / "verdict.json").write_text(json.dumps(verdict))
    lines = answer(replace(sweep, folder=tmp_path / "sweeps" / "tiny_sweep"))
    assert lines[0] == "t0001 is better than the default by 1."
    assert not any("retrain-best" in line for line in lines)
    network = {
        "trial": "t0001",
        "which": "seed 2",
        "scored_on": "the test split",
        "threshold": 0.4,
        "iou": 0.5123,
        "f1": 0.6,
    }
    (folder / "verdict.json").write_text(json.dumps(verdict | {"network": network}))
    lines = answer(replace(sweep, folder=tmp_path / "sweeps" / "tiny_sweep"))
    (line,) = (line for line in lines if line.startswith("The network: "))
    assert f"{folder / 'best_model.pth'} (t0001, seed 2), with IoU 0.5123" in line
    verdict["contenders"] = [sweep.ranked["trial"].iloc[1]]  # the sweep was extended since, and has another best
    (folder / "verdict.json").write_text(json.dumps(verdict))
    assert any("retrain-best" in line for line in answer(replace(sweep, folder=tmp_path / "sweeps" / "tiny_sweep")))


def test_a_default_without_a_score_is_said_to_have_none(sweep: SweepResults):
    of_default = sweep.trials["trial"] == sweep.default
    if sweep.ranked["trial"].iloc[0] == sweep.default:
        sweep.trials["score"] = sweep.trials["score"].mask(of_default, 0.0)
    sweep.trials.loc[of_default, "state"] = "failed"
    trials = sweep.trials.sort_values("score", ascending=False)
    assert any("the default has no score" in line for line in answer(replace(sweep, trials=trials)))


def test_what_is_in_a_reason_is_text_and_no_markup(sweep: SweepResults, tmp_path: Path):
    sweep.trials.loc[0, ["state", "reason"]] = ["failed", "<script>alert(1)</script>"]
    text = write_report(sweep, tmp_path).read_text()
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_an_empty_sweep_has_a_page_that_says_so(sweep: SweepResults, tmp_path: Path):
    empty = replace(sweep, state="interrupted", trials=sweep.trials.iloc[:0], reports=sweep.reports.iloc[:0], params={})
    text = write_report(empty, tmp_path).read_text()
    assert "No trial has a score yet." in text
    assert "The sweep is interrupted" in text


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed here")
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_shows_it_at_any_width(page: Path, width: int, tmp_path: Path):
    shot = tmp_path / "shot.png"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={width},3000"]
    command = [str(CHROMIUM), *options, f"--screenshot={shot}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    picture = cv2.imread(str(shot))
    assert picture is not None
    assert picture.shape == (3000, width, 3)
    assert len(np.unique(picture[:1500].reshape(-1, 3), axis=0)) > 100  # curves, and not a blank page


def test_the_score_of_a_default_that_was_stopped_early_is_told_with_its_epochs(sweep: SweepResults):
    last = sweep.trials.query("trial == @sweep.default").index
    sweep.trials.loc[last, ["state", "epochs"]] = "stopped", 1
    others = sweep.trials.index.difference(last)
    sweep.trials.loc[others, "score"] += 1.0
    best_first = replace(sweep, trials=sweep.trials.sort_values("score", ascending=False))
    assert any("after 1 of 3 epochs" in sentence for sentence in answer(best_first))
    best_first.trials.loc[last, ["state", "epochs"]] = "complete", 3
    assert not any("of 3 epochs" in sentence for sentence in answer(best_first))
