"""What a sweep is expected to take."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_search import METRIC, asha_settings, make

from sweeps.search.asha import Asha
from sweeps.search.forecast import epochs_to_come, forecast
from sweeps.search.hyperband import Hyperband
from sweeps.search.no_stopping import NoStopping

shapes = asha_settings(10, 60, 5)


@settings(max_examples=30, deadline=None)
@given(shapes, st.integers(1, 60))
def test_all_trials_reach_the_first_rung_fewer_each_further_one_and_one_at_least_the_end(asha: Asha, trials: int):
    expected = forecast(asha, trials)
    counts = list(expected.trials_at.values())
    assert counts[0] == trials
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] >= 1
    steps = [*asha.rungs, asha.max_epochs]
    reached = sum(count * (epoch - before) for count, epoch, before in zip(counts, steps, [0, *steps], strict=False))
    assert expected.epochs == pytest.approx(reached)
    assert trials <= expected.starts <= sum(counts) + 1e-9


def test_a_known_search_is_forecast():
    # rungs at 1 and 3; with one trial there is nothing to compare: it is taken to the end all the same
    asha = Asha(grace_period=1, reduction_factor=3, max_epochs=9)
    assert forecast(asha, 1).epochs == 9
    # with very many trials one in three passes each rung, and a few that would not have passed later
    assert 2000 / 3 <= forecast(asha, 2000).trials_at[3] < 2000 / 3 * 1.15


def test_a_default_that_is_trained_to_the_end_is_in_the_forecast():
    asha = Asha(grace_period=1, reduction_factor=3, max_epochs=27)
    plain, with_default = forecast(asha, 10), forecast(asha, 10, first_to_end=True)
    # the best of the others is trained to the end all the same, and at the rungs there is one more to be better than
    assert 0.8 * 27 < with_default.epochs - plain.epochs < 1.2 * 27
    assert with_default.trials_at[27] > plain.trials_at[27] + 0.3
    assert forecast(asha, 1, first_to_end=True) == forecast(asha, 1)._replace(starts=1)


@pytest.mark.parametrize("kind", [Asha, Hyperband])
def test_the_forecast_is_always_the_same(kind: type[Asha]):
    asha = kind(grace_period=3, reduction_factor=3, max_epochs=18)
    assert forecast(asha, 10) == forecast(asha, 10)


def test_without_stopping_every_trial_takes_all_its_epochs_in_one_go():
    expected = forecast(NoStopping(max_epochs=7), 10)
    assert (expected.trials_at, expected.epochs, expected.starts) == ({7: 10}, 70, 10)


def test_what_is_to_come_is_what_the_trials_are_expected_to_take():
    asha = Asha(grace_period=3, reduction_factor=3, max_epochs=18)
    study = make(asha=asha, trials=10)
    for epoch in (1, 2):
        trial = study.next_trial()
        assert trial
        study.report(trial.name, epoch, {METRIC: 0.1})
    state = study.state
    assert epochs_to_come(state, 10, expected=60.0) == 57
    assert epochs_to_come(state, 10, expected=60.0, limit=5) == 2
    next_rungs = (3 - 1) + (3 - 2)
    assert epochs_to_come(state, 2, expected=3.0) == next_rungs  # more was promoted than expected
    assert epochs_to_come(state, 10, expected=3.0) == next_rungs + 8 * 3
    state.exhausted = True
    assert epochs_to_come(state, 10, expected=3.0) == next_rungs
