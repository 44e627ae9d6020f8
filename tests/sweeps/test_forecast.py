"""What a sweep is expected to take."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.asha import Form
from sweeps.forecast import forecast
from sweeps.spec import Asha

forms = st.sampled_from(["promotion", "stopping"])
shapes = st.builds(
    lambda grace, more, factor: Asha(grace_period=grace, reduction_factor=factor, max_epochs=grace + more),
    st.integers(1, 10),
    st.integers(0, 60),
    st.integers(2, 5),
)


@settings(max_examples=30, deadline=None)
@given(shapes, forms, st.integers(1, 60))
def test_all_trials_reach_the_first_rung_fewer_each_further_one_and_one_at_least_the_end(
    asha: Asha, form: Form, trials: int
):
    expected = forecast(asha, form, trials)
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
    assert forecast(Asha(grace_period=1, reduction_factor=3, max_epochs=9), "promotion", 1).epochs == 9
    # with very many trials one in three passes each rung, and a few that would not have passed later
    counts = forecast(Asha(grace_period=1, reduction_factor=3, max_epochs=9), "promotion", 2000).trials_at
    assert 2000 / 3 <= counts[3] < 2000 / 3 * 1.15


@pytest.mark.parametrize("form", ["promotion", "stopping"])
def test_the_forecast_is_always_the_same(form: Form):
    asha = Asha(grace_period=3, reduction_factor=3, max_epochs=18)
    assert forecast(asha, form, 10) == forecast(asha, form, 10)
