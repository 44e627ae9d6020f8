"""The table of trials."""

import csv
import json
import re
import shlex
import shutil
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from conftest import FinishedSweep
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from analysis.leaderboard import PLAIN_WIDTH, disagreement_lines, reasons, render_tables
from analysis.leaderboard import main as show
from analysis.results import load_sweep
from src.errors import UserError
from src.tables import PlainConsole
from sweeps.leaderboard import short_names, tables, write_csv
from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.search.trial import Trial, ranked


def row(name: str, *scores: float, state: str = "stopped", **params: object) -> Trial:
    made = Trial(name, dict(params))
    for epoch, score in enumerate(scores, start=1):
        made.report(epoch, score, {"epoch_seconds": 2.0, "val/iou_best": score, "val/iou": score / 2})
    made.state = state
    return made


def printed(rows: list[Trial], width: int) -> list[str]:
    console = Console(file=StringIO(), width=width)
    for table in tables(rows, "val/iou_best", width):
        console.print(table)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_a_trial_counts_by_its_best_epoch():
    trial = row("t0000", 0.2, 0.5, 0.4)
    assert (trial.score, trial.best_epoch, trial.epochs, trial.seconds) == (0.5, 2, 3, 6.0)
    assert trial.metrics["val/iou"] == 0.25


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=12))
def test_the_ranking_is_best_first_and_unscored_last(scores: list[float | None]):
    rows = [Trial(f"t{number:04d}", {}, score=score) for number, score in enumerate(scores)]
    found = [trial.score for trial in ranked(rows)]
    known = [score for score in found if score is not None]
    assert known == sorted(known, reverse=True)
    assert found == known + [None] * (len(found) - len(known))


def test_the_file_has_a_line_a_trial_and_a_column_a_parameter(tmp_path: Path):
    rows = [
        row("t0000", 0.1, lr=0.1),
        row("t0001", 0.3, loss="bce"),
        Trial("t0002", {}, state="failed", origin="model", reason="nan"),
    ]
    write_csv(rows, "val/iou_best", tmp_path / "leaderboard.csv")
    with (tmp_path / "leaderboard.csv").open() as file:
        found = list(csv.DictReader(file))
    assert [line["trial"] for line in found] == ["t0001", "t0000", "t0002"]
    assert found[0]["loss"] == "bce"
    assert found[1]["lr"] == "0.1"
    assert found[2]["reason"] == "nan"
    assert [line["origin"] for line in found] == ["", "", "model"]
    assert [path.name for path in tmp_path.iterdir()] == ["leaderboard.csv"]


def test_a_trial_whose_memory_ran_out_is_marked(tmp_path: Path):
    whole, halved = row("t0000", 0.1), row("t0001", 0.3)
    halved.report(2, 0.2, {"val/iou_best": 0.2, "micro_batch": 2.0})
    halved.report(3, 0.2, {"val/iou_best": 0.2, "micro_batch": 1.0})
    write_csv([whole, halved], "val/iou_best", tmp_path / "leaderboard.csv")
    with (tmp_path / "leaderboard.csv").open() as file:
        assert [line["micro_batch"] for line in csv.DictReader(file)] == ["1", ""]
    drawn = "\n".join(printed([whole, halved], 100))
    assert "stopped, micro-batch 1" in drawn
    assert drawn.count("micro-batch") == 1


@pytest.mark.parametrize("width", [80, 120])
def test_a_narrow_terminal_breaks_no_cell_of_the_table(width: int):
    trial = row("t0000-abcdef", 0.12345)
    trial.params = {f"training.part.parameter_{number}": float(f"{number + 1}.23e-05") for number in range(12)}
    lines = printed([trial], width)
    assert max(map(len, lines)) <= width
    words = " ".join(lines).split()
    assert {"t0000-abcdef", "0.1235", "stopped", *(f"{number + 1}.23e-05" for number in range(9))} <= {*words}


def test_parameters_are_named_by_as_little_as_tells_them_apart():
    keys = ["training.optimizer.lr", "model.encoder.name", "training.optimizer.name"]
    assert short_names(keys) == ["lr", "encoder.name", "optimizer.name"]


def test_a_failed_trial_is_never_the_best():
    assert [trial.name for trial in ranked([row("t0000", 0.9, state="failed"), row("t0001", 0.1)])] == [
        "t0001",
        "t0000",
    ]


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
    last = reports["trial"].eq(second) & reports["epoch"].eq(reports[reports["trial"] == second]["epoch"].max())
    reports.loc[last, "value"] = sweep.ranked["score"].iloc[0] - 1e-9
    (line,) = disagreement_lines(replace(sweep, reports=reports))
    assert f": best {first}" in line
    assert f"last {second}" in line


def test_a_closed_standard_output_is_no_terminal(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdout", None)
    assert PlainConsole(PLAIN_WIDTH).width > 80
