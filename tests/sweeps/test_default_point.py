"""The default configuration as a point of a space; more of it is in test_space.py, which walks spaces."""

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from src.errors import UserError
from sweeps.default_point import default_point, expected_near
from sweeps.search.space import Params
from sweeps.spec import Asha, Budget, SweepSpec


def test_the_default_is_the_configurations_own_value_and_choice():
    space = {
        "training.optimizer.lr_scale": FloatDistribution(0.1, 10.0),
        "training.loss": CategoricalDistribution(["dice", "bce"]),
    }
    point = default_point(space, ["training.loss=bce"])
    assert point == {"training.optimizer.lr_scale": 1.0, "training.loss": "bce"}


@pytest.mark.parametrize(
    ("key", "distribution", "value"),
    [
        ("training.optimizer.lr_scale", FloatDistribution(2.0, 10.0), "2.0 to 10.0"),
        ("training.loss", CategoricalDistribution(["dice", "dicee"]), "dicee"),
        ("training.epcohs", FloatDistribution(1.0, 2.0), "training.epcohs"),
    ],
)
def test_a_space_that_lacks_the_default_is_refused_by_key_and_value(key: str, distribution: object, value: str):
    with pytest.raises(UserError) as caught:
        default_point({key: distribution}, ["training.loss=dice"])  # type: ignore[dict-item]
    assert key in str(caught.value)
    assert value in str(caught.value)


SPACE = {"lr": FloatDistribution(1e-4, 1e-1, log=True), "loss": CategoricalDistribution(["dice", "bce"])}
DEFAULT: Params = {"lr": 1e-3, "loss": "dice"}
KNOWN: Params = {"lr": 1e-2, "loss": "bce"}


def spec_with(prior: object) -> SweepSpec:
    scheduler = Asha(grace_period=1, reduction_factor=3, max_epochs=9)
    return SweepSpec(space=SPACE, scheduler=scheduler, budget=Budget(trials=5), prior=prior)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("prior", "near"),
    [("default", [DEFAULT, KNOWN]), ("none", []), ({"lr": 3e-3}, [{"lr": 3e-3}]), ({"loss": "bce"}, [{"loss": "bce"}])],
)
def test_good_points_are_expected_where_the_spec_says(prior: object, near: list[Params]):
    assert list(expected_near(spec_with(prior), [DEFAULT, KNOWN])) == near


@pytest.mark.parametrize(
    ("prior", "words"),
    [
        ({"lrr": 1e-3}, ["lrr", "lr"]),
        ({"lr": 1.0}, ["lr=1.0", "0.0001 to 0.1"]),
        ({"lr": -1.0}, ["lr=-1.0"]),
        ({"lr": "high"}, ["lr=high"]),
        ({"loss": "focal"}, ["loss=focal", "dice", "bce"]),
    ],
)
def test_a_prior_outside_of_the_space_is_refused_by_key_and_value(prior: dict[str, object], words: list[str]):
    with pytest.raises(UserError) as caught:
        expected_near(spec_with(prior), ())
    assert all(word in str(caught.value) for word in words)
