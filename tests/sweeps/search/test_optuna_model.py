"""Proposals of Optuna's samplers."""

from sweeps.search.optuna_model import MODELLED, observations
from sweeps.search.trial import Trial


def row(number: int, params: dict[str, int], values: dict[int, float], state: str = "paused") -> Trial:
    return Trial(f"t{number:04d}", dict(params), number=number, values=values, state=state)


def test_failed_trials_count_as_bad_ones_and_none_is_worse():
    rows = [row(number, {"x": number}, {1: value}) for number, value in enumerate([0.0, 0.4, 0.5, 0.6, 0.7])]
    rows.append(row(5, {"x": 5}, {1: 0.9}, state="failed"))
    rows.append(row(6, {"x": 6}, {}, state="failed"))
    rows.append(row(7, {"x": 7}, {}, state="running"))
    found = {trial.number: value for trial, value in observations(rows)}
    assert found == {0: 0.0, 1: 0.4, 2: 0.5, 3: 0.6, 4: 0.7, 5: 0.0, 6: 0.0}


def test_a_model_has_a_bound_and_keeps_the_best_and_the_latest():
    rows = [row(number, {}, {1: 1.0 / (number + 1)}) for number in range(3 * MODELLED)]
    kept = {trial.number for trial, _ in observations(rows)}
    assert len(kept) == MODELLED
    assert {0, 1, 2, 3 * MODELLED - 1, 3 * MODELLED - 2} <= kept
