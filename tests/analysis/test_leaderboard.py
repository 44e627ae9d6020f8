"""The board of a sweep that is read from its folder."""

import csv
import json
import re
import shlex
import shutil
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from finished import FinishedSweep
from rich.console import Console

from analysis.leaderboard import PLAIN_WIDTH, disagreement_lines, reasons, render_tables
from analysis.leaderboard import main as show
from analysis.results import load_sweep
from src.errors import UserError
from src.tables import PlainConsole
from sweeps.ledger import LEDGER_FILE, Ledger


def test_the_board_of_a_finished_sweep_has_every_trial_under_every_rule_and_how_to_repeat_it(
    finished_sweep: FinishedSweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    show(["tiny_sweep", "--output-root", str(finished_sweep.output_root), "--csv", str(tmp_path / "board.csv")])
    said = capsys.readouterr().out
    assert said.startswith("tiny_sweep: finished, 4 trials (")
    with (tmp_path / "board.csv").open() as file:
        found = list(csv.DictReader(file))
    assert [line["trial"] for line in found] == re.findall(r"^t\d{4}-\w+", said, re.MULTILINE)
    for line in found:
        values = [
            json.loads(text)["val/iou_best"]
            for text in (finished_sweep.folder / line["trial"] / "result.json").read_text().splitlines()
        ]
        assert (float(line["best"]), float(line["last"])) == (max(values), values[-1])
        again = shlex.quote(str(finished_sweep.folder / line["trial"] / "overrides.yaml"))
        assert line["repeat"] == f"python run.py {again}"
        assert line["origin"] in ("default", "random", "model")


def test_without_a_name_the_sweeps_are_listed(
    finished_sweep: FinishedSweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    show(["--output-root", str(finished_sweep.output_root)])
    assert capsys.readouterr().out.startswith("tiny_sweep: finished, 4 trials")
    for words in ([], ["tiny_sweep"]):
        with pytest.raises(UserError, match=f"No sweep in {tmp_path}/sweeps.*repository's root"):
            show([*words, "--output-root", str(tmp_path)])


def test_a_reason_with_brackets_is_shown_as_it_is(
    finished_sweep: FinishedSweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = tmp_path / "sweeps" / "tiny_sweep"
    shutil.copytree(finished_sweep.folder, folder, ignore=shutil.ignore_patterns("ray", "t0*"))
    ledger = Ledger(folder / LEDGER_FILE)
    reason = "bad [/data/x.png]: [type=greater_than] :smile:"
    ledger.database.execute("UPDATE trial SET state = 'failed', reason = ? WHERE number = 1", (reason,))
    ledger.close()
    show(["tiny_sweep", "--output-root", str(tmp_path)])
    assert reason in capsys.readouterr().out


def test_the_board_of_many_parameters_fits_a_narrow_terminal(finished_sweep: FinishedSweep):
    sweep = load_sweep("tiny_sweep", finished_sweep.output_root)
    more = {f"model.encoder.some_long_name_{number}": 0.123456 for number in range(6)}
    made = replace(sweep, params={name: values | more for name, values in sweep.params.items()})
    made.trials.loc[0, ["state", "reason"]] = ["failed", "a long reason " * 20]
    made = replace(made, trials=made.trials.assign(**more))
    for width in (80, 120):
        console = Console(file=StringIO(), width=width)
        for part in render_tables(made, None, width):
            console.print(part)
        lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
        assert max(len(line.rstrip()) for line in lines) <= width
        assert (
            (2 if width == 80 else 1)
            == sum("t0000-" in line for line in lines)
            == sum(line.startswith("trial") for line in lines)
        )
        assert not any("long reason" in line for line in lines)
    (line,) = reasons(made, None)
    assert "a long reason a long" in line
    assert str(made.trials["trial"].iloc[0]) in line


def test_rules_that_do_not_agree_are_said_to(finished_sweep: FinishedSweep):
    sweep = load_sweep("tiny_sweep", finished_sweep.output_root)
    reports = sweep.reports.copy()
    first, second = sweep.ranked["trial"].tolist()[:2]
    best = float(sweep.ranked["score"].iloc[0])
    for trial, values in ((first, (best, 0.0)), (second, (0.0, best - 1e-9))):  # of its first epoch and its last
        epochs = reports[reports["trial"] == trial]["epoch"]
        for epoch, value in zip((epochs.min(), epochs.max()), values, strict=True):
            reports.loc[reports["trial"].eq(trial) & reports["epoch"].eq(epoch), "value"] = value
    (line,) = disagreement_lines(replace(sweep, reports=reports))
    assert f": best {first}" in line
    assert f"last {second}" in line


def test_a_closed_standard_output_is_no_terminal(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdout", None)
    assert PlainConsole(PLAIN_WIDTH).width > 80
