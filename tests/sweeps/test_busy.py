"""How busy the places of a sweep were."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from sweeps.busy import CUT, EMPTY, EPOCHS, START, TRIALS, busy
from sweeps.search.events import (
    Failed,
    Finished,
    Interrupted,
    Record,
    Reported,
    Resumed,
    SessionBegan,
    Skipped,
    Started,
)
from sweeps.search.scheduler import Decision

MIDNIGHT = datetime(2026, 11, 26)


def records(*events: Any) -> list[Record]:
    """Events with the seconds at which they came."""
    return [
        Record(number, event, decision[0] if decision else None, (MIDNIGHT + timedelta(seconds=seconds)).isoformat())
        for number, (seconds, event, *decision) in enumerate(events, start=1)
    ]


def report(trial: str, epoch: int, seconds: float) -> Reported:
    metrics: Mapping[str, float] = {"epoch_seconds": seconds}
    return Reported(trial, epoch, 0.5, metrics)


TWO_PLACES = [
    (10.0, SessionBegan(3, places=2, checked_seconds=8.0)),  # the command was given at 2
    (12.0, Started("a", {}, "default")),
    (12.0, Started("b", {}, "random")),
    (17.0, report("a", 1, 4.0), Decision.CONTINUE),  # began a second after it was given
    (18.0, report("b", 1, 4.0), Decision.PAUSE),
    (22.5, report("a", 2, 5.0), Decision.STOP),
    (24.0, Finished()),
]


def test_every_second_of_every_place_is_in_one_category():
    found = busy(records(*TWO_PLACES))
    assert found.whole == 2 * 22
    assert found.training == 13
    assert found.rest == {START: 20.0, TRIALS: 3.0, EPOCHS: 0.5, CUT: 0.0, EMPTY: pytest.approx(7.5)}
    assert found.training + sum(found.rest.values()) == pytest.approx(found.whole)
    assert str(found).startswith("places busy 30 % of the time; start and checks 45 %, no trial to run 17 %")


def test_epochs_that_are_cut_off_by_a_failure_or_the_end_are_named():
    found = busy(
        records(
            (0.0, SessionBegan(2, places=2)),
            (0.0, Started("a", {}, "default")),
            (0.0, Started("b", {}, "random")),
            (4.0, Failed("a", "it broke", True)),
            (5.0, Resumed("a")),
            (10.0, Interrupted()),
        )
    )
    assert found.training == 0
    assert found.rest[CUT] == 4 + 5 + 10


def test_epochs_that_are_reported_after_a_resume_were_not_trained_in_it():
    found = busy(
        records(
            (0.0, SessionBegan(1, places=1)),
            (0.0, Resumed("a")),
            (1.0, report("a", 3, 60.0), Decision.CONTINUE),
            (2.0, Interrupted()),
        )
    )
    assert found.whole == 2
    assert found.training <= 1


def test_sessions_add_up_and_the_time_between_them_does_not_count():
    later = [(seconds + 1000, event, *decision) for seconds, event, *decision in TWO_PLACES]
    one, both = busy(records(*TWO_PLACES)), busy(records(*TWO_PLACES, *later))
    assert (both.whole, both.training) == (2 * one.whole, 2 * one.training)
    assert both.share == one.share


def test_a_ledger_of_an_older_version_tells_nothing():
    found = busy(records((0.0, SessionBegan(1)), (0.0, Started("a", {}, "default")), (9.0, Finished())))
    assert found.whole == 0
    assert found.share == 0


def test_the_seconds_of_a_trial_that_was_skipped_are_those_of_beginning_it():
    found = busy(
        records(
            (0.0, SessionBegan(3, places=1)),
            (1.0, Started("a", {}, "random")),
            (3.0, Skipped("a", "parameters 9 > 5")),
            (3.0, Started("b", {}, "random")),
            (8.0, report("b", 1, 5.0), Decision.STOP),
            (9.0, Finished()),
        )
    )
    assert found.rest == {START: 1.0, TRIALS: 2.0, EPOCHS: 0.0, CUT: 0.0, EMPTY: pytest.approx(1.0)}
