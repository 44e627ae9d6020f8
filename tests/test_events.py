"""The events of a search; that each comes back from a ledger is in test_ledger.py."""

from dataclasses import FrozenInstanceError, fields

import pytest

from sweeps.search.events import KINDS, Requeued, Started, TrialEvent


def test_each_kind_has_one_event_and_each_event_one_kind():
    assert len(set(KINDS.values())) == len(KINDS)
    assert TrialEvent not in KINDS.values()


def test_an_event_cannot_be_changed():
    event = Requeued("t0000")
    with pytest.raises(FrozenInstanceError):
        event.trial = "t0001"  # type: ignore[misc]


def test_an_event_of_a_trial_begins_with_its_name():
    for kind in KINDS.values():
        names = [field.name for field in fields(kind)]
        assert issubclass(kind, TrialEvent) == (names[:1] == ["trial"])
    assert Started("t0000", {}, "default").space == {}
