"""The table of trials."""

import csv
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from sweeps.leaderboard import short_names, tables, write_csv
from sweeps.search.trial import Trial


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
