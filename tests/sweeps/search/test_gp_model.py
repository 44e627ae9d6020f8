"""What the own model of a sweep proposes."""

from dataclasses import replace

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from sweeps.search.encoding import Encoding
from sweeps.search.gp_model import ELSEWHERE, MODELLED, GPModel, distinct
from sweeps.search.space import Params
from sweeps.search.trial import Trial, TrialState

SPACE: dict[str, BaseDistribution] = {
    "x": FloatDistribution(0.0, 1.0),
    "y": FloatDistribution(0.0, 1.0),
    "kind": CategoricalDistribution(["good", "bad", "fails"]),
}


def score(point: Params) -> float:
    x, y = float(str(point["x"])), float(str(point["y"]))
    return -((x - 0.4) ** 2) - 0.1 * (y - 0.6) ** 2 - 0.3 * (point["kind"] != "good")


def trials_at(points: list[Params], state: str = TrialState.PAUSED) -> list[Trial]:
    return [
        Trial(f"t{number}", dict(point), number=number, values={3: score(point)}, state=state)
        for number, point in enumerate(points)
    ]


def random_points(count: int, seed: int = 0) -> list[Params]:
    encoding, random = Encoding(SPACE), np.random.default_rng(seed)
    return [encoding.decode(vector, random).params for vector in encoding.drawn(count, random)]


def proposed(trials: list[Trial], seed: int = 0) -> Params:
    point = GPModel(Encoding(SPACE)).propose(trials, np.random.default_rng(seed))
    assert point
    return point.params


def test_it_proposes_what_is_better_than_nearly_all_before():
    before = sorted(score(point) for point in random_points(20))
    found = [score(proposed(trials_at(random_points(20)), seed)) for seed in range(4)]
    assert sum(value > before[-4] for value in found) >= 3


def test_an_optimum_inside_is_not_looked_for_at_the_ends():
    trials = trials_at(random_points(12))
    at_ends = 0
    for number in range(12, 24):
        point = proposed(trials, number)
        at_ends += sum(min(float(str(point[key])), 1 - float(str(point[key]))) < 0.01 for key in ("x", "y"))
        trials.append(Trial(f"t{number}", point, number=number, values={3: score(point)}, state=TrialState.PAUSED))
    assert at_ends <= 8  # of 24


def test_where_trials_have_failed_it_looks_less():
    trials = trials_at(random_points(20, seed=1))
    for trial in trials:
        if trial.params["kind"] == "fails":
            trial.state, trial.values = TrialState.FAILED, {}
        elif trial.params["kind"] == "good":
            trial.values = {3: trial.values[3] - 0.3}  # as bad as "bad", so only the failures tell kinds apart
    assert sum(trial.state == TrialState.FAILED for trial in trials) > 3
    kinds = [proposed(trials, seed)["kind"] for seed in range(8)]
    without = [trial for trial in trials if trial.state != TrialState.FAILED]
    unaware = [proposed(without, seed)["kind"] for seed in range(8)]
    assert kinds.count("fails") < unaware.count("fails")


def test_a_trial_that_runs_keeps_it_from_the_same_place():
    trials = trials_at(random_points(20))
    first = proposed(trials)
    beside = [*trials, Trial("t20", first, number=20, state=TrialState.RUNNING)]
    second = proposed(beside)
    assert max(abs(float(str(first[key])) - float(str(second[key]))) for key in ("x", "y")) > 0.02 or (
        first["kind"] != second["kind"]
    )


def test_a_point_that_was_tried_is_not_proposed_again():
    space = {"a": CategoricalDistribution(["p", "q"]), "b": CategoricalDistribution(["p", "q"])}
    points = [{"a": "p", "b": "p"}, {"a": "p", "b": "q"}, {"a": "q", "b": "p"}]
    trials = [Trial(str(n), dict(point), number=n, values={1: 1.0 - n}) for n, point in enumerate(points)]
    model = GPModel(Encoding(space))
    last = model.propose(trials, np.random.default_rng(0))
    assert last
    assert last.params == {"a": "q", "b": "q"}
    trials.append(Trial("3", dict(last.params), number=3, values={1: 0.0}))
    assert model.propose(trials, np.random.default_rng(0)) is None


def test_without_any_value_there_is_nothing_to_propose():
    model = GPModel(Encoding(SPACE))
    assert model.propose([], np.random.default_rng(0)) is None
    outside = Trial("t0", {"x": 3.0, "y": 0.5, "kind": "good"}, values={1: 0.5})
    assert model.propose([outside], np.random.default_rng(0)) is None


def test_it_has_a_bound_and_keeps_the_best_and_the_latest():
    trials = trials_at(random_points(2 * MODELLED))
    known = GPModel(Encoding(SPACE))._evidence(trials, MODELLED)
    assert known
    reports = known.reports
    assert len(reports.values) == MODELLED
    best = max(trials, key=lambda trial: trial.values[3])
    assert {best.number, 2 * MODELLED - 1, 2 * MODELLED - MODELLED // 2} <= set(reports.trials.tolist())


def test_trials_of_another_sweep_without_numbers_keep_their_own_points():
    before = [Trial("", dict(trial.params), values=trial.values) for trial in trials_at(random_points(5))]
    known = GPModel(Encoding(SPACE))._evidence([*before, *trials_at(random_points(2, seed=1))], MODELLED)
    assert known
    assert len(np.unique(known.vectors, axis=0)) == len(set(known.reports.trials.tolist())) == 7


def misleading(trials: list[Trial]) -> list[Trial]:
    return [Trial("", dict(trial.params), values={3: -trial.values[3]}) for trial in trials]


def test_trials_on_other_data_show_where_to_look_before_this_search_knows():
    elsewhere = trials_at(random_points(30, seed=7))
    few = trials_at(random_points(3))
    model = GPModel(Encoding(SPACE), elsewhere=elsewhere)
    found = [model.propose(few, np.random.default_rng(seed)) for seed in range(4)]
    alone = [proposed(few, seed) for seed in range(4)]
    assert np.mean([score(point.params) for point in found if point]) > np.mean([score(point) for point in alone])


def test_trials_on_other_data_that_mislead_are_soon_no_longer_asked():
    there, here = trials_at(random_points(30, seed=7)), trials_at(random_points(12))
    agreements: list[list[float]] = []
    for elsewhere in (there, misleading(there)):
        model = GPModel(Encoding(SPACE), elsewhere=elsewhere)
        known = [model._evidence(here[:count], MODELLED) for count in (1, 12)]
        agreements.append([model._agreement(evidence) for evidence in known if evidence])
    assert agreements[0][0] == agreements[1][0] == 0.5
    assert agreements[0][1] > 0.5
    assert agreements[1][1] < 0
    misled = model.propose(here, np.random.default_rng(0))
    assert misled
    alone = proposed(here)
    assert all(abs(float(str(misled.params[key])) - float(str(alone[key]))) < 0.1 for key in ("x", "y"))
    assert misled.params["kind"] == alone["kind"]


def test_of_another_search_so_many_reports_enter_and_its_trials_are_not_ours():
    model = GPModel(Encoding(SPACE), elsewhere=trials_at(random_points(2 * ELSEWHERE)))
    here = model._evidence(trials_at(random_points(5)), MODELLED)
    assert here
    assert model.elsewhere
    both = here.reports.beside(model.elsewhere.reports)
    assert both.elsewhere.tolist() == [False] * 5 + [True] * ELSEWHERE
    assert not {*both.trials[:5]} & {*both.trials[5:]}


def test_values_at_different_rungs_are_brought_to_the_same_epoch():
    points = random_points(3)
    trials = trials_at(points)
    trials[0].values |= {9: trials[0].values[3] + 0.2}
    trials[1].values |= {9: trials[1].values[3] + 0.4}
    known = GPModel(Encoding(SPACE))._evidence(trials, MODELLED)
    assert known
    reports = known.reports
    assert np.exp(reports.log_epochs).round().tolist() == [3, 9, 3, 9, 3]
    assert reports.values.mean() == pytest.approx(0, abs=1e-9)
    assert reports.values.std() == pytest.approx(1)


def test_a_conditional_key_is_proposed_where_it_applies():
    def space(trial: optuna.Trial) -> None:
        if trial.suggest_categorical("optimizer", ["adam", "sgd"]) == "sgd":
            trial.suggest_float("momentum", 0.0, 1.0)

    encoding, random = Encoding(space), np.random.default_rng(0)
    points = [encoding.decode(vector, random).params for vector in encoding.drawn(12, random)]
    trials = [
        Trial(str(n), point, number=n, values={1: -abs(float(str(point.get("momentum", 0.0))) - 0.7)})
        for n, point in enumerate(points)
    ]
    found = [GPModel(encoding).propose(trials, np.random.default_rng(seed)) for seed in range(5)]
    momenta = [float(str(point.params["momentum"])) for point in found if point and "momentum" in point.params]
    assert len(momenta) >= 3
    assert np.median(np.abs(np.array(momenta) - 0.7)) < 0.15


def test_the_first_of_equal_vectors_is_kept():
    vectors = np.array([[1.0, 2.0], [0.0, 0.0], [1.0, 2.0], [3.0, 3.0]])
    assert distinct(vectors, 3).tolist() == [[1.0, 2.0], [0.0, 0.0], [3.0, 3.0]]


def test_trials_that_all_came_to_the_same_say_nothing_of_another_search():
    model = GPModel(Encoding(SPACE), elsewhere=trials_at(random_points(30, seed=7)))
    same = [replace(trial, values={3: 0.1}) for trial in trials_at(random_points(12))]
    known = model._evidence(same, MODELLED)
    assert known
    assert np.abs(known.reports.values).max() < 1e-9
    assert model._agreement(known) == 0.5
