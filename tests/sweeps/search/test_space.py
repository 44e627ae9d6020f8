"""Walks through search spaces."""

import pickle

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from src.errors import UserError
from sweeps.default_point import default_point
from sweeps.search.space import (
    Choice,
    as_function,
    contains,
    corners,
    describe,
    distributions,
    few_corners,
    keys,
)

FLAT = {
    "training.optimizer.lr": FloatDistribution(1e-4, 1e-2, log=True),
    "training.gradient_accumulation_steps": IntDistribution(1, 4),
    "training.loss": CategoricalDistribution(["bce", "dice_bce", "dice_focal"]),
}


def conditional(trial: optuna.Trial) -> None:
    """The focal term's gamma is a question only if there is a focal term."""
    if trial.suggest_categorical("training.loss", ["dice_bce", "dice_focal"]) == "dice_focal":
        trial.suggest_float("training.loss.focal.gamma", 1.0, 3.0)


def test_the_corners_of_a_flat_space_are_all_combinations_of_extremes():
    found = [tuple(point.values()) for point in corners(FLAT)]
    assert len(found) == len(set(found)) == 2 * 2 * 3
    assert {lr for lr, _, _ in found} == {1e-4, 1e-2}
    assert {steps for _, steps, _ in found} == {1, 4}


def test_conditional_keys_appear_only_where_they_apply():
    assert list(corners(conditional)) == [
        {"training.loss": "dice_bce"},
        {"training.loss": "dice_focal", "training.loss.focal.gamma": 1.0},
        {"training.loss": "dice_focal", "training.loss.focal.gamma": 3.0},
    ]


def test_the_few_corners_take_every_choice_and_both_ends_of_every_range():
    found = few_corners(FLAT)
    assert len(found) < 2 * 2 * 3
    assert {point["training.loss"] for point in found} == {"bce", "dice_bce", "dice_focal"}
    assert {point["training.optimizer.lr"] for point in found} == {1e-4, 1e-2}
    assert {point["training.loss"] for point in few_corners(conditional)} == {"dice_bce", "dice_focal"}


def nested(trial: optuna.Trial) -> None:
    """The encoder is a question only in one family, its attention only for one encoder."""
    if trial.suggest_categorical("family", ["a", "b"]) == "b" and trial.suggest_categorical("encoder", [1, 2, 3]) == 3:
        trial.suggest_categorical("attention", [True, False])


def test_the_few_corners_take_the_choices_behind_choices_too():
    found = few_corners(nested)
    assert {point["encoder"] for point in found if "encoder" in point} == {1, 2, 3}
    assert {point["attention"] for point in found if "attention" in point} == {True, False}
    assert keys(nested) == {"family", "encoder", "attention"}


def test_the_default_point_is_what_the_configuration_holds():
    assert default_point(FLAT, []) == {
        "training.optimizer.lr": 5e-4,
        "training.gradient_accumulation_steps": 1,
        "training.loss": "dice_bce",
    }
    assert default_point(conditional, ["training.loss=dice_focal"]) == {
        "training.loss": "dice_focal",
        "training.loss.focal.gamma": 2.0,
    }


@pytest.mark.parametrize(
    ("key", "distribution", "sentence"),
    [
        ("training.optimizer.lrr", FloatDistribution(0, 1), "Did you mean 'training.optimizer.lr'"),
        ("training.optimizer.lr", FloatDistribution(0.1, 1), "default 0.0005"),
        ("training.loss", CategoricalDistribution(["dice_bce", "dise"]), "Did you mean 'dice'"),
        ("model.encoder", CategoricalDistribution(["resnet18"]), "default resnet34"),
    ],
)
def test_a_space_that_does_not_fit_the_configuration_is_refused(
    key: str, distribution: optuna.distributions.BaseDistribution, sentence: str
):
    with pytest.raises(UserError, match=sentence):
        default_point({key: distribution}, [])


def test_an_empty_space_is_refused():
    with pytest.raises(UserError, match="search space is empty"):
        default_point({}, [])


def test_a_reversed_range_in_a_function_is_refused():
    def reversed_range(trial: optuna.Trial) -> None:
        trial.suggest_float("training.optimizer.lr", 1.0, 0.1)

    with pytest.raises(UserError, match="low <= high"):
        default_point(reversed_range, [])


def test_optuna_samples_a_mapping_through_a_function_that_can_be_pickled():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    suggest = pickle.loads(pickle.dumps(as_function(FLAT)))
    trial = study.ask()
    suggest(trial)
    assert trial.params.keys() == FLAT.keys()
    assert trial.distributions == FLAT


def test_the_distributions_of_a_point_are_those_on_its_way():
    asked = distributions(conditional, {"training.loss": "dice_focal", "training.loss.focal.gamma": 2.0})
    assert asked
    assert asked.keys() == {"training.loss", "training.loss.focal.gamma"}
    asked = distributions(conditional, {"training.loss": "dice_bce"})
    assert asked
    assert asked.keys() == {"training.loss"}


@pytest.mark.parametrize(
    "point",
    [
        {"training.loss": "bce"},
        {"training.loss": "dice_focal"},
        {"training.loss": "dice_focal", "training.loss.focal.gamma": 9.0},
        {"training.loss": "dice_bce", "training.loss.focal.gamma": 2.0},
    ],
)
def test_a_point_with_another_value_a_key_less_or_a_key_more_is_none_of_the_space(point: dict[str, Choice]):
    assert distributions(conditional, point) is None


@pytest.mark.parametrize(
    ("distribution", "inside", "outside"),
    [
        (FloatDistribution(0.1, 1.0), [0.1, 0.5, 1.0], [0.0, 1.1, "0.5", None]),
        (FloatDistribution(0.0, 1.0, step=0.1), [0.0, 0.1 + 0.2, 1.0], [0.25, 1.1]),
        (IntDistribution(2, 8, step=2), [2, 4, 8], [3, 4.5, 0]),
        (CategoricalDistribution(["a", None]), ["a", None], ["b", 0]),
    ],
)
def test_a_distribution_contains_what_it_can_draw(
    distribution: BaseDistribution, inside: list[Choice], outside: list[Choice]
):
    assert all(contains(distribution, value) for value in inside)
    assert not any(contains(distribution, value) for value in outside)


def test_a_range_says_its_steps():
    assert describe(FloatDistribution(0.0, 1.0, step=0.25)) == "0.0 to 1.0 in steps of 0.25"
    assert describe(IntDistribution(1, 4)) == "1 to 4"
    assert describe(FloatDistribution(1e-4, 1e-2, log=True)) == "0.0001 to 0.01 (log)"
