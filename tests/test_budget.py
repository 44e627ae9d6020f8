"""What a sweep may spend; budgets of nothing are in test_spec.py."""

import pytest

from src.errors import UserError
from sweeps.search.budget import MOST_AT_ONCE, Budget


def test_more_trials_at_once_than_a_machine_holds_are_refused():
    assert Budget(trials=1, trials_at_once=MOST_AT_ONCE).trials_at_once == MOST_AT_ONCE
    with pytest.raises(UserError, match=f"trials_at_once={MOST_AT_ONCE + 1}"):
        Budget(trials=1, trials_at_once=MOST_AT_ONCE + 1)


def test_what_is_not_said_has_no_bound():
    budget = Budget(trials=3)
    assert (budget.epochs, budget.hours, budget.gpus) == (None, None, None)
