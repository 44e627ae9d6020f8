"""No scheduler; what holds for any is in test_scheduler.py."""

import pytest

from src.errors import UserError
from sweeps.search.no_stopping import NoStopping
from sweeps.search.scheduler import Decision


def test_the_worst_trial_trains_all_its_epochs():
    scheduler = NoStopping(max_epochs=3).build()
    for trial, value in {"good": 0.9, "bad": 0.1}.items():
        scheduler.start(trial)
        decisions = [scheduler.report(trial, epoch, value) for epoch in (1, 2, 3)]
        assert decisions == [Decision.CONTINUE, Decision.CONTINUE, Decision.STOP]
    assert scheduler.next(no_new_trials=True) is None


def test_no_epochs_are_refused():
    with pytest.raises(UserError, match="max_epochs=0"):
        NoStopping(max_epochs=0)
