"""What a search proposes."""

import json
import math
from collections.abc import Callable

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from sweeps.search.gp_model import STARTUP
from sweeps.search.sampler import SAMPLERS, Known, ModelSampler
from sweeps.search.space import Params, Space, complete_point, contains, distributions
from sweeps.search.trial import Origin, Trial

SPACE: dict[str, BaseDistribution] = {
    "lr": FloatDistribution(1e-4, 1e-1, log=True),
    "depth": IntDistribution(1, 5),
    "loss": CategoricalDistribution(["dice", "bce", None]),
}
FIRST: Params = {"lr": 1e-3, "depth": 3, "loss": "dice"}


def conditional(trial: optuna.Trial) -> None:
    name = trial.suggest_categorical("optimizer", ["sgd", "adam"])
    trial.suggest_float("lr", 1e-4, 1e-1, log=True)
    if name == "sgd":
        trial.suggest_float("momentum", 0.0, 0.99)


def row(number: int, params: Params, values: dict[int, float], state: str = "paused") -> Trial:
    return Trial(f"t{number:04d}", params, number=number, values=values, state=state)


def play(sampler: ModelSampler, score: Callable[[Params], float], trials: int, before: int = 0) -> list[Trial]:
    rows: list[Trial] = []
    for number in range(trials):
        proposal = sampler.propose(number, rows)
        assert proposal
        rows.append(row(number, proposal.params, {1: score(proposal.params)}))
    return rows


def distance(params: Params) -> float:
    """1 where lr is 1e-2 and the loss bce."""
    lr = params["lr"]
    assert isinstance(lr, float)
    return 1 - abs(math.log10(lr) + 2) / 3 - 0.1 * (params["loss"] != "bce")


def test_the_default_comes_first_and_then_the_given_points():
    given_point: Params = {"lr": 1e-2, "depth": 1, "loss": None}
    sampler = ModelSampler(SPACE, 0, Known(default=FIRST, points=[given_point]))
    first, second, third = (sampler.propose(number, []) for number in range(3))
    assert first is not None
    assert first[:2] == (FIRST, "default")
    assert second is not None
    assert second[:2] == (given_point, "given")
    assert first.branch == second.branch == SPACE
    assert third
    assert third.origin == "random"


def test_after_each_point_of_another_sweep_comes_one_from_here():
    theirs: list[Params] = [{"lr": rate, "depth": 1, "loss": None} for rate in (1e-2, 2e-2)]
    sampler = ModelSampler(SPACE, 0, Known(default=FIRST, points=[theirs[0] | {"depth": 2}], suggested=theirs))
    rows: list[Trial] = []
    for number in range(6):
        proposal = sampler.propose(number, rows)
        assert proposal
        rows.append(row(number, proposal.params, {}))
        rows[-1].origin = proposal.origin
    assert [trial.origin for trial in rows] == ["default", "given", "given", "random", "given", "random"]
    assert [rows[2].params, rows[4].params] == theirs


@pytest.mark.parametrize(("value", "is_tried"), [(0.4, False), (0.6, True)])
def test_the_next_point_of_another_sweep_is_tried_unless_those_before_it_are_worse_than_half_of_the_others(
    value: float, is_tried: bool
):
    theirs: list[Params] = [{"lr": rate, "depth": 1, "loss": None} for rate in (1e-2, 2e-2)]
    sampler = ModelSampler(SPACE, 0, Known(default=FIRST, suggested=theirs))
    values = {0: {1: 0.8, 3: 0.9}, 1: {1: value, 3: value + 0.3}, 2: {1: 0.2}}
    rows = [
        row(0, FIRST, values[0]),
        row(1, theirs[0], values[1]),
        row(2, {"lr": 0.09, "depth": 5, "loss": None}, values[2]),
    ]
    proposal = sampler.propose(3, rows)
    assert proposal
    assert (proposal.params == theirs[1]) == is_tried
    assert (proposal.origin == "given") == is_tried


def test_a_given_point_that_is_the_default_or_was_given_before_is_tried_once():
    other: Params = {"lr": 1e-2, "depth": 1, "loss": None}
    sampler = ModelSampler(SPACE, 0, Known(default=FIRST, points=[other, FIRST, other]))
    assert [proposal.params for proposal in sampler.queue if proposal] == [FIRST, other]


@pytest.mark.slow
def test_the_model_finds_where_the_good_points_are():
    rows = play(ModelSampler(SPACE, 0, FIRST), distance, 30)
    early, late = rows[1:STARTUP], rows[20:]
    assert max(map(distance, (trial.params for trial in late))) > 0.95
    assert sum(distance(trial.params) for trial in late) / len(late) > 0.1 + sum(
        distance(trial.params) for trial in early
    ) / len(early)


@pytest.mark.parametrize("trials", [2, STARTUP + 4])
def test_a_proposal_depends_on_the_seed_its_number_and_the_trials_before_and_on_nothing_else(trials: int):
    rows = play(ModelSampler(SPACE, 3, FIRST), distance, trials)
    again = ModelSampler(SPACE, 3, FIRST)
    assert again.propose(trials - 1, rows[:-1]) == ModelSampler(SPACE, 3, FIRST).propose(trials - 1, rows[:-1])
    assert again.propose(trials - 1, rows[:-1]).params == rows[-1].params  # type: ignore[union-attr]


def test_other_seeds_and_other_numbers_begin_with_other_points():
    sampler, other = ModelSampler(SPACE, 3, FIRST), ModelSampler(SPACE, 4, FIRST)
    assert sampler.propose(1, []) != other.propose(1, [])
    assert sampler.propose(1, []) != sampler.propose(2, [])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 100), st.booleans())
def test_every_proposal_lies_in_the_space(seed: int, modelled: bool):
    rows = play(ModelSampler(SPACE, 0, FIRST), distance, STARTUP) if modelled else []
    proposal = ModelSampler(SPACE, seed, FIRST).propose(STARTUP, rows)
    assert proposal
    assert proposal.params.keys() == SPACE.keys()
    assert all(contains(SPACE[key], value) for key, value in proposal.params.items())


def test_conditional_keys_are_proposed_where_they_apply():
    def score(params: Params) -> float:
        return float(params["optimizer"] == "sgd") + float(params.get("momentum") or 0.0)

    rows = play(ModelSampler(conditional, 0, {"optimizer": "adam", "lr": 1e-3}), score, STARTUP + 15)
    for trial in rows:
        assert ("momentum" in trial.params) == (trial.params["optimizer"] == "sgd")
    late = [trial.params["optimizer"] for trial in rows[STARTUP:]]
    assert late.count("sgd") > len(late) / 2


def test_no_point_is_proposed_twice_until_all_were_tried():
    space = {"loss": CategoricalDistribution(["a", "b", "c"]), "depth": IntDistribution(1, 5)}
    sampler = ModelSampler(space, 0, {"loss": "a", "depth": 1})
    rows: list[Trial] = []
    while proposal := sampler.propose(len(rows), rows):
        rows.append(row(len(rows), proposal.params, {1: 0.5}))
    points = {(trial.params["loss"], trial.params["depth"]) for trial in rows}
    assert len(points) == len(rows) == 15


def test_trials_that_run_keep_the_model_from_proposing_the_same_place():
    first = ModelSampler({"x": FloatDistribution(0.0, 1.0)}, 0, {"x": 0.1})
    rows = play(first, lambda params: -abs(params["x"] - 0.7), 8)  # type: ignore[operator]
    sampler = ModelSampler({"x": FloatDistribution(0.0, 1.0)}, 5, {"x": 0.1})
    alone = sampler.propose(20, rows)
    assert alone
    assert alone.origin == "model"
    beside = sampler.propose(20, [*rows, row(8, alone.params, {}, state="running")])
    assert beside
    assert abs(beside.params["x"] - alone.params["x"]) > 1e-3  # type: ignore[operator]


@pytest.mark.slow
def test_trials_of_another_sweep_enter_the_model():
    before = play(ModelSampler(SPACE, 10, FIRST), distance, 25)
    warm = ModelSampler(SPACE, 0, Known(default=FIRST, trials=before))
    proposals = [warm.propose(number, []) for number in range(1, 6)]
    assert [proposal.origin for proposal in proposals if proposal].count(Origin.MODEL) >= 4
    best = max(distance(proposal.params) for proposal in proposals if proposal)
    assert best > 0.95


@pytest.mark.parametrize(
    ("space", "origin"),
    [
        (SPACE | {"lr": FloatDistribution(1e-3, 1e-1, log=True)}, "model"),  # some points lie outside now
        ({"lr": SPACE["lr"]}, "random"),  # and here all of them do
        (SPACE | {"momentum": FloatDistribution(0.0, 1.0)}, "random"),
    ],
)
def test_trials_of_a_space_that_has_changed_are_no_hindrance(space: dict[str, BaseDistribution], origin: str):
    rows = play(ModelSampler(SPACE, 0, FIRST), distance, 12)
    proposal = ModelSampler(space, 0, {}).propose(12, rows)
    assert proposal
    assert proposal.origin == origin
    assert proposal.params.keys() == space.keys()


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("space", [SPACE, conditional])
def test_every_sampler_proposes_points_of_the_space_and_the_same_again(name: str, space: Space):
    first: Params = FIRST if space is SPACE else {"optimizer": "adam", "lr": 1e-2}
    trials: list[Trial] = []
    for number in range(8):
        one, again = (ModelSampler(space, 0, first, name).propose(number, trials) for _ in range(2))
        assert one
        assert one == again
        assert distributions(space, one.params) is not None
        assert one.origin in ({"default", "random"} if name == "random" else {"default", "random", "model"})
        trials.append(row(number, one.params, {1: math.cos(number)}))
    assert len({json.dumps(trial.params, sort_keys=True) for trial in trials}) == 8


def test_first_points_are_far_from_each_other_where_there_is_a_model_to_come():
    space: dict[str, BaseDistribution] = {"x": FloatDistribution(0.0, 1.0), "y": FloatDistribution(0.0, 1.0)}

    def nearest(name: str) -> float:
        """The mean distance of each of the first six points to the nearest one."""
        found: list[float] = []
        for seed in range(20):
            rows = play(ModelSampler(space, seed, {"x": 0.5, "y": 0.5}, name), lambda _: 0.5, STARTUP)
            places = [(float(str(trial.params["x"])), float(str(trial.params["y"]))) for trial in rows]
            found += [min(math.dist(one, other) for other in places if other != one) for one in places]
        return sum(found) / len(found)

    assert nearest("gp") > 1.3 * nearest("random")


def test_half_of_the_first_points_are_near_one_that_is_expected_to_be_good():
    space: dict[str, BaseDistribution] = {f"x{number}": FloatDistribution(0.0, 1.0) for number in range(4)}
    good: Params = dict.fromkeys(space, 0.5)

    def far(known: Known) -> float:
        """The share of numbers in points 1 to 4 that are far from the middle."""
        found = [
            abs(float(str(value)) - 0.5) > 0.35
            for seed in range(60)
            for trial in play(ModelSampler(space, seed, known), lambda _: 0.5, 5)[1:]
            for value in trial.params.values()
        ]
        return sum(found) / len(found)

    assert far(Known(default=good, expected_near=[good])) < 0.75 * far(Known(default=good))


def test_the_default_is_trained_to_its_end_where_that_is_known():
    known = Known(default=FIRST, points=[{"lr": 1e-2, "depth": 1, "loss": None}], default_to_end=True)
    proposals = [ModelSampler(SPACE, 0, known).propose(number, []) for number in range(3)]
    assert [proposal.to_end for proposal in proposals if proposal] == [True, False, False]
    plain = ModelSampler(SPACE, 0, FIRST).propose(0, [])
    assert plain
    assert not plain.to_end


def test_points_of_another_sweep_are_tried_no_more_once_the_first_ones_have_failed():
    theirs: list[Params] = [{"lr": rate, "depth": 1, "loss": None} for rate in (1e-2, 2e-2)]
    sampler = ModelSampler(SPACE, 0, Known(default=FIRST, suggested=theirs))
    for state, is_tried in (("failed", False), ("running", True)):
        proposal = sampler.propose(3, [row(0, FIRST, {1: 0.8}), row(1, theirs[0], {}, state)])
        assert proposal
        assert (proposal.params == theirs[1]) == is_tried


def test_a_value_of_another_type_is_no_other_point():
    space: dict[str, BaseDistribution] = {
        "drop": CategoricalDistribution([0, 0.1]),
        "scale": FloatDistribution(0, 2, step=1),
    }
    default = complete_point(space, {}, {"drop": 0.0, "scale": 1})
    assert [type(value) for value in default.values()] == [int, float]
    sampler = ModelSampler(space, 0, default)
    rows: list[Trial] = []
    while proposal := sampler.propose(len(rows), rows):
        rows.append(row(len(rows), proposal.params, {1: 0.1 * len(rows)}))
    assert len(rows) == len({json.dumps(trial.params) for trial in rows}) == 6
