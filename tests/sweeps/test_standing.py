"""What a ledger's replay brings back."""

from dataclasses import asdict
from pathlib import Path

import pytest
from optuna.distributions import FloatDistribution

from src.errors import UserError
from sweeps.asha import Decision
from sweeps.ledger import NAME, Entry, Ledger
from sweeps.sampler import Sampler
from sweeps.spec import Asha, Budget
from sweeps.standing import Standing, read_standing
from sweeps.study import Study

METRIC = "val/iou"
ASHA = Asha(grace_period=1, reduction_factor=3, max_epochs=9)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """A search that was interrupted in its sixth trial; one has failed, one was dropped, one postponed."""
    ledger = Ledger(tmp_path / NAME)
    ledger.put("rules", {"asha": asdict(ASHA), "form": "promotion", "metric": METRIC})
    sampler = Sampler({"x": FloatDistribution(0.0, 1.0)}, 0, {"x": 0.5})
    study = Study(sampler, ASHA, Budget(trials=8), METRIC, ledger=ledger)
    study.begin_session()
    while len(study.rows) < 6 and (row := study.next_job()):
        while study.report(row.name, row.epochs + 1, {METRIC: row.params["x"] * row.epochs}) is Decision.CONTINUE:
            pass
    study.drop(study.paused[0].name)
    for reason in ("it broke", "it broke again"):
        row = study.next_job()
        assert row
        study.fail(row.name, reason)
    row = study.next_job()
    assert row
    study.postpone(row.name)
    study.next_job()
    study.interrupt()
    return study


def ledger_of(study: Study) -> Ledger:
    assert study.ledger
    return study.ledger


def test_a_replay_gives_the_same_state(study: Study):
    again = read_standing(ledger_of(study))
    assert again.rows == study.rows
    assert {row.state for row in again.rows.values()} >= {"paused", "failed", "waiting"}
    for name in ("epochs", "waiting", "exhausted", "trials", "best", "since_best", "judged"):
        assert getattr(again, name) == getattr(study, name), name
    assert again.rules.paused == study.rules.paused
    assert again.rules.running == study.rules.running


def test_other_rules_than_those_of_the_ledger_are_named(study: Study):
    other = Standing(Asha(grace_period=2, reduction_factor=2, max_epochs=9), METRIC)
    with pytest.raises(UserError, match=r"The ledger says pause of t0000-.* at epoch 1, these rules say continue"):
        other.replay(ledger_of(study).entries())


def test_a_trial_that_never_started_is_named():
    with pytest.raises(UserError, match="event 1 is of trial 't0007', which was never started"):
        Standing(ASHA, METRIC).replay([Entry(1, "resume", "t0007", {})])


def test_a_ledger_in_which_no_sweep_was_begun_is_named(tmp_path: Path):
    with pytest.raises(UserError, match="it was killed before it began"):
        read_standing(Ledger(tmp_path / NAME))


def test_what_is_to_come_is_what_the_trials_are_expected_to_take():
    asha = Asha(grace_period=3, reduction_factor=3, max_epochs=18)
    study = Study(Sampler({"x": FloatDistribution(0.0, 1.0)}, 0, {"x": 0.5}), asha, Budget(trials=10), METRIC)
    for epoch in (1, 2):
        row = study.next_job()
        assert row
        study.report(row.name, epoch, {METRIC: 0.1})
    assert study.epochs_to_come(10, expected=60.0) == 57
    assert study.epochs_to_come(10, expected=60.0, limit=5) == 2
    next_rungs = (3 - 1) + (3 - 2)
    assert study.epochs_to_come(2, expected=3.0) == next_rungs  # more was promoted than expected
    assert study.epochs_to_come(10, expected=3.0) == next_rungs + 8 * 3
    study.exhausted = True
    assert study.epochs_to_come(10, expected=3.0) == next_rungs
