"""The search that a ledger holds."""

import re
from dataclasses import asdict
from pathlib import Path

import pytest
from made_up_search import ASHA, METRIC, make, play

from src.errors import UserError
from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.recorded import RULES, read_state, record_rules
from sweeps.spec import Hyperband


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / LEDGER_FILE)


def test_a_ledger_is_read_without_the_spec_of_its_sweep(ledger: Ledger):
    scheduler = Hyperband(grace_period=1, reduction_factor=3, max_epochs=9)
    record_rules(ledger, scheduler, METRIC)
    study = make(ledger, asha=scheduler)
    study.begin_session()
    play(study)
    study.finish()
    state = read_state(ledger)
    assert (state.scheduler.settings, state.metric) == (scheduler, METRIC)
    assert state.trials == study.trials


def test_the_scheduler_of_the_version_before_is_read(ledger: Ledger):
    settings = asdict(ASHA)
    del settings["variant"]
    ledger.put(RULES, {"asha": settings, "form": "stopping", "metric": METRIC})
    study = make(ledger, variant="stopping")
    study.begin_session()
    play(study)
    assert read_state(ledger).trials == study.trials


def test_a_ledger_in_which_no_sweep_was_begun_is_named(ledger: Ledger):
    with pytest.raises(UserError, match=re.escape(str(ledger.path))):
        read_state(ledger)


def test_a_scheduler_that_is_not_known_here_is_named(ledger: Ledger):
    ledger.put(RULES, {"scheduler": {"name": "median"}, "metric": METRIC})
    with pytest.raises(UserError, match=r"'median'.*asha"):
        read_state(ledger)


@pytest.mark.parametrize(
    "rules", [{}, {"metric": METRIC}, {"scheduler": {"name": "asha", "stars": 3}, "metric": METRIC}, {"scheduler": {}}]
)
def test_rules_that_cannot_be_read_are_named(ledger: Ledger, rules: dict[str, object]):
    ledger.put(RULES, rules)
    with pytest.raises(UserError, match=LEDGER_FILE):
        read_state(ledger)
