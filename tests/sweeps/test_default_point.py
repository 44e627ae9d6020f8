"""The default configuration as a point of a space; more of it is in test_space.py, which walks spaces."""

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from src.errors import UserError
from sweeps.default_point import default_point


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
