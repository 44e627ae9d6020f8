"""What a value at a rung says of the end."""

import pytest

from sweeps.search.rung_values import best_and_latest, expected
from sweeps.search.trial import Trial


def row(number: int, params: dict[str, int], values: dict[int, float], state: str = "paused") -> Trial:
    return Trial(f"t{number:04d}", dict(params), number=number, values=values, state=state)


def test_a_trial_is_expected_to_gain_what_those_gained_that_went_on():
    rows = [
        row(0, {}, {1: 0.1, 3: 0.3, 9: 0.6}),
        row(1, {}, {1: 0.2, 3: 0.6}),
        row(2, {}, {1: 0.05}),
    ]
    from_1, from_3 = (0.2 + 0.4) / 2, 0.3
    assert expected(rows) == pytest.approx([0.6, 0.6 + from_3, 0.05 + from_1 + from_3])


def test_where_nobody_went_on_the_last_value_counts():
    assert expected([row(0, {}, {1: 0.1}), row(1, {}, {1: 0.2})]) == [0.1, 0.2]


def test_of_many_rows_the_best_and_the_latest_are_kept_and_none_twice():
    rows = [9, 1, 2, 8, 3, 4, 5, 7]
    assert best_and_latest(rows, 4, float) == [9, 8, 5, 7]
    assert best_and_latest(rows, 8, float) == rows
