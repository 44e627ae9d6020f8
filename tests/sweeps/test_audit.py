"""Whether a sweep's folder holds all of it: on a real sweep, and on copies that were spoilt in one place."""

import csv
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from finished import FinishedSweep
from optuna.distributions import FloatDistribution

from src.errors import UserError
from sweeps.audit import audit
from sweeps.leaderboard import write_csv
from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.recorded import record_rules
from sweeps.search.sampler import ModelSampler
from sweeps.search.state import SearchState
from sweeps.search.study import Study
from sweeps.spec import Asha, Budget

METRIC = "val/iou_best"
LR = "training.optimizer.lr_scale"


@pytest.fixture
def folder(finished_sweep: FinishedSweep, tmp_path: Path) -> Path:
    """A copy to spoil."""
    shutil.copytree(finished_sweep.folder, tmp_path / "copy", ignore=shutil.ignore_patterns("ray", "logs"))
    return tmp_path / "copy"


def test_a_finished_sweep_is_whole_wherever_it_lies(folder: Path):
    assert audit(folder) == []


def trial(folder: Path, state: str) -> Path:
    with (folder / "leaderboard.csv").open() as file:
        return folder / next(row["trial"] for row in csv.DictReader(file) if row["state"] == state)


def drop_line(folder: Path) -> None:
    path = trial(folder, "complete") / "result.json"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def fail_with_a_line_more(folder: Path) -> None:
    """As of a trial that was killed after it had written, and not tried again."""
    stopped = trial(folder, "stopped")
    path = stopped / "result.json"
    last = json.loads(path.read_text().splitlines()[-1])
    path.write_text(path.read_text() + json.dumps(last | {"epoch": last["epoch"] + 1}) + "\n")
    database = Ledger(folder / LEDGER_FILE).database
    database.execute(
        "INSERT INTO event (time, kind, trial, detail) VALUES ('', 'fail', ?, ?)",
        (stopped.name, json.dumps({"reason": "killed", "retry": False})),
    )
    database.execute("UPDATE trial SET state = 'failed' WHERE name = ?", (stopped.name,))


def tear_line(folder: Path) -> None:
    path = trial(folder, "complete") / "result.json"
    path.write_text(path.read_text()[:-20])


def repeat_line(folder: Path) -> None:
    path = trial(folder, "complete") / "result.json"
    path.write_text(path.read_text() + path.read_text().splitlines()[-1] + "\n")


def change_value(folder: Path) -> None:
    path = trial(folder, "stopped") / "result.json"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[0]["val/iou_best"] += 0.25
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def lose_folder(folder: Path) -> None:
    shutil.rmtree(trial(folder, "stopped"))


def add_folder(folder: Path) -> None:
    (folder / "t0099-abcdef").mkdir()


def flip_checkpoint(folder: Path) -> None:
    path = trial(folder, "complete") / "checkpoints" / "best_model.pth"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def lose_checkpoint(folder: Path) -> None:
    (trial(folder, "stopped") / "checkpoints" / "best_model.pth").unlink()


def drop_row(folder: Path) -> None:
    path = folder / "leaderboard.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def repeat_row(folder: Path) -> None:
    path = folder / "leaderboard.csv"
    path.write_text(path.read_text() + path.read_text().splitlines()[-1] + "\n")


def change_score(folder: Path) -> None:
    path = folder / "leaderboard.csv"
    rows = list(csv.reader(path.open()))
    rows[1][2] = "0.999"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def change_state(folder: Path) -> None:
    Ledger(folder / LEDGER_FILE).database.execute("UPDATE trial SET state = 'failed' WHERE state = 'complete'")


def change_decision(folder: Path) -> None:
    Ledger(folder / LEDGER_FILE).database.execute("UPDATE report SET decision = 'continue' WHERE decision = 'pause'")


def forget_reports(folder: Path) -> None:
    database = Ledger(folder / LEDGER_FILE).database
    database.execute("DELETE FROM event WHERE kind = 'report'")


def same_parameters(folder: Path) -> None:
    database = Ledger(folder / LEDGER_FILE).database
    rows = database.execute("SELECT seq, detail FROM event WHERE kind = 'start' ORDER BY seq").fetchall()
    first = json.loads(rows[0][1])["params"]
    for seq, detail in rows:
        same = json.dumps(json.loads(detail) | {"params": first})
        database.execute("UPDATE event SET detail = ? WHERE seq = ?", (same, seq))


def damage_ledger(folder: Path) -> None:
    path = folder / LEDGER_FILE
    path.write_bytes(path.read_bytes()[:5000])


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (tear_line, "result.json has 2 epochs"),
        (drop_line, "result.json has 2 epochs"),
        (repeat_line, "[1, 2, 3, 3]"),
        (change_value, "val/iou_best of epoch 1 is"),
        (lose_folder, "result.json is missing"),
        (add_folder, "t0099-abcdef"),
        (flip_checkpoint, "best_model.pth is damaged"),
        (lose_checkpoint, "best_model.pth is missing"),
        (drop_row, "leaderboard.csv lacks t000"),
        (repeat_row, "2 times"),
        (change_score, "has 0.999"),
        (change_state, "failed at epoch 3, its events complete"),
        (change_decision, "'continue' was recorded"),
        (forget_reports, "the ledger's table"),
        (same_parameters, "4 trials have the same parameters"),
    ],
)
def test_what_is_missing_twice_or_different_is_named(folder: Path, spoil: Callable[[Path], None], sentence: str):
    spoil(folder)
    problems = audit(folder)
    assert any(sentence in problem for problem in problems), problems


def test_networks_that_were_dropped_for_want_of_disk_are_not_missed(folder: Path):
    stopped = trial(folder, "stopped")
    shutil.rmtree(stopped / "checkpoints")
    assert len(audit(folder)) == 1
    ledger = Ledger(folder / LEDGER_FILE)
    ledger.database.execute(
        "INSERT INTO event (time, kind, trial, detail) VALUES ('', 'drop', ?, '{}')", (stopped.name,)
    )
    assert audit(folder) == []


def test_a_failed_trial_may_have_trained_an_epoch_that_nobody_heard_of(folder: Path):
    fail_with_a_line_more(folder)
    assert audit(folder) == []


def test_a_folder_without_a_ledger_that_can_be_read_is_named(folder: Path, tmp_path: Path):
    with pytest.raises(UserError, match="No ledger"):
        audit(tmp_path)
    damage_ledger(folder)
    with pytest.raises(UserError, match="is not a ledger, or it is damaged"):
        audit(folder)


def test_a_sweep_that_was_killed_before_it_began_is_said_to_be_none(tmp_path: Path):
    Ledger(tmp_path / LEDGER_FILE).close()
    (problem,) = audit(tmp_path)
    assert LEDGER_FILE in problem


def sweep_with_one_trial(folder: Path, state: str, epochs: int = 5) -> Path:
    """A sweep whose only trial is in that state after so many epochs, with all its files; its folder."""
    ledger = Ledger(folder / LEDGER_FILE)
    asha = Asha(grace_period=3, reduction_factor=3, max_epochs=9, variant="stopping")
    record_rules(ledger, asha, METRIC)
    study = Study(
        SearchState(asha.build(), METRIC),
        ModelSampler({LR: FloatDistribution(0.1, 1)}, 0, {LR: 0.5}),
        Budget(trials=1),
        ledger,
    )
    study.begin_session()
    row = study.next_trial()
    assert row
    for epoch in range(1, epochs + 1):
        study.report(row.name, epoch, {METRIC: epoch / 10})
    if state == "failed":
        study.fail(row.name, "it broke", retry=False)
    if state == "waiting":
        study.interrupt()
    assert row.state == state
    write_csv([row], METRIC, folder / "leaderboard.csv")
    ledger.close()
    trial_folder = folder / row.name
    write_epochs(trial_folder, epochs)
    with zipfile.ZipFile(trial_folder / "checkpoints" / "last.pth", "w") as archive:
        archive.writestr("weights", "many")
    return trial_folder


def write_epochs(trial_folder: Path, epochs: int) -> None:
    (trial_folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"epoch": epoch, METRIC: epoch / 10}) + "\n" for epoch in range(1, epochs + 1)]
    (trial_folder / "result.json").write_text("".join(lines))


GOING_ON = {"running": "waiting", "waiting": "waiting", "failed": "failed"}
"""States, and what they are to one who looks: a trial that runs waits, as if its session were killed now."""


@pytest.mark.parametrize("state", GOING_ON)
def test_a_trial_that_was_not_at_rest_may_be_an_epoch_ahead_or_two_behind(tmp_path: Path, state: str):
    trial_folder = sweep_with_one_trial(tmp_path, state)
    for epochs in (3, 4, 5, 6):
        write_epochs(trial_folder, epochs)
        assert audit(tmp_path) == []


@pytest.mark.parametrize("state", GOING_ON)
@pytest.mark.parametrize("epochs", [2, 7])
def test_a_trial_that_was_not_at_rest_lacks_no_more_epochs_and_has_none_too_many(
    tmp_path: Path, state: str, epochs: int
):
    trial_folder = sweep_with_one_trial(tmp_path, state)
    write_epochs(trial_folder, epochs)
    (problem,) = audit(tmp_path)
    assert re.search(rf"result\.json has {epochs} epochs, .* ledger 5; .* {GOING_ON[state]}\.$", problem)


@pytest.mark.parametrize("state", GOING_ON)
def test_a_folder_that_is_gone_is_missed_in_every_state(tmp_path: Path, state: str):
    shutil.rmtree(sweep_with_one_trial(tmp_path, state))
    (problem,) = audit(tmp_path)
    assert "result.json is missing" in problem
    assert GOING_ON[state] in problem


@pytest.mark.parametrize(("state", "missed"), [("running", 1), ("waiting", 1), ("failed", 0)])
def test_a_trial_that_goes_on_needs_a_network_to_go_on_from(tmp_path: Path, state: str, missed: int):
    trial_folder = sweep_with_one_trial(tmp_path, state)
    (trial_folder / "checkpoints" / "last.pth").rename(trial_folder / "checkpoints" / "previous.pth")
    assert audit(tmp_path) == []
    (trial_folder / "checkpoints" / "previous.pth").write_bytes(b"damaged")
    assert len(audit(tmp_path)) == missed


def test_a_trial_that_begins_again_without_its_networks_may_be_far_behind(tmp_path: Path):
    trial_folder = sweep_with_one_trial(tmp_path, "waiting")
    write_epochs(trial_folder, 0)
    (trial_folder / "checkpoints" / "last.pth").unlink()
    assert len(audit(tmp_path)) == 2
    for kind in ("drop", "resume", "interrupt"):
        name = None if kind == "interrupt" else trial_folder.name
        Ledger(tmp_path / LEDGER_FILE).database.execute(
            "INSERT INTO event (time, kind, trial, detail) VALUES ('', ?, ?, '{}')", (kind, name)
        )
    assert audit(tmp_path) == []


def test_a_trial_that_has_not_reported_needs_no_folder(tmp_path: Path):
    shutil.rmtree(sweep_with_one_trial(tmp_path, "waiting", epochs=0))
    assert audit(tmp_path) == []
