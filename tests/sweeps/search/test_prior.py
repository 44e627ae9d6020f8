"""What is believed before a search."""

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from sweeps.search.encoding import Array, Encoding
from sweeps.search.prior import RANGE_STRENGTH, RANGE_WIDTH, WIDTH, Prior
from sweeps.search.space import Params

SPACE: dict[str, BaseDistribution] = {
    "lr": FloatDistribution(1e-4, 1.0, log=True),
    "drop": FloatDistribution(0.0, 1.0),
    "loss": CategoricalDistribution(["dice", "bce"]),
}
ENCODING = Encoding(SPACE)
GOOD: Params = {"lr": 1e-3, "drop": 0.2, "loss": "dice"}


def vectors(*points: Params) -> Array:
    found = [ENCODING.encode(point) for point in points]
    assert all(vector is not None for vector in found)
    return np.array(found)


def test_what_is_near_a_point_that_is_believed_in_weighs_more_and_less_so_with_every_trial():
    good = GOOD | {"lr": 10**-2.5}
    prior, points = Prior(ENCODING, [good]), vectors(good, good | {"lr": 10**-1.5}, good | {"loss": "bce"})
    first, later = prior.log_weight(points, 1), prior.log_weight(points, 10)  # both rates as far from the middle
    assert first[0] - first[1] == pytest.approx(0.25**2 / (2 * WIDTH**2))  # a quarter of the range away
    assert first[0] - first[2] == pytest.approx(1.0)
    assert later - later[0] == pytest.approx((first - first[0]) / 10)


def test_near_any_of_several_points_is_near_enough():
    other = GOOD | {"lr": 1e-1}  # as far from the middle
    found = Prior(ENCODING, [GOOD, other]).log_weight(vectors(GOOD, other, GOOD | {"drop": 1.0}), 1)
    assert found[0] == pytest.approx(found[1], abs=1e-6)
    assert found[2] < found[0]


def test_the_middle_of_a_range_is_a_little_likelier_than_its_ends_and_that_fades_slowly():
    prior = Prior(ENCODING, [{"lr": 1e-3}])
    middle, end, other_loss = GOOD | {"drop": 0.5}, GOOD | {"drop": 1.0}, GOOD | {"drop": 0.5, "loss": "bce"}
    first, later = (prior.log_weight(vectors(middle, end, other_loss), trials) for trials in (1, 16))
    assert first[0] - first[1] == pytest.approx(RANGE_STRENGTH * 0.5**2 / (2 * RANGE_WIDTH**2))
    assert later[0] - later[1] == pytest.approx((first[0] - first[1]) / 4)
    assert first[0] == first[2]  # choices have no middle
    none = Prior(ENCODING, []).log_weight(vectors(GOOD | {"lr": 1e-2}, GOOD | {"lr": 1e-4}), 1)
    assert none[0] > none[1]


def test_a_key_of_another_branch_is_free():
    def space(trial: optuna.Trial) -> None:
        if trial.suggest_categorical("optimizer", ["adam", "sgd"]) == "sgd":
            trial.suggest_float("momentum", 0.0, 1.0)

    encoding = Encoding(space)
    prior = Prior(encoding, [{"optimizer": "adam"}])
    one, other = (encoding.encode({"optimizer": "sgd", "momentum": value}) for value in (0.4, 0.6))
    assert one is not None
    assert other is not None
    assert prior.log_weight(np.array([one]), 1) == pytest.approx(prior.log_weight(np.array([other]), 1))


def test_a_branch_is_not_likelier_for_having_fewer_numbers_nor_for_its_own_keys_being_others():
    def space(trial: optuna.Trial) -> None:
        if trial.suggest_categorical("optimizer", ["adam", "sgd"]) == "sgd":
            trial.suggest_float("momentum", 0.0, 1.0)

    encoding = Encoding(space)
    spread = [{"optimizer": "sgd", "momentum": float(value)} for value in np.linspace(0.005, 0.995, 100)]
    found = [encoding.encode(point) for point in [*spread, {"optimizer": "adam"}]]
    weights = Prior(encoding, []).log_weight(np.array(found), 1)
    assert weights[:-1].mean() == pytest.approx(weights[-1], abs=1e-3)
    for momentum in (0.1, 0.5):
        prior = Prior(encoding, [{"optimizer": "sgd", "momentum": momentum}])
        sgd, adam = (prior.log_weight(np.array([vector]), 1)[0] for vector in (encoding.encode(spread[49]), found[-1]))
        assert adam == pytest.approx(-1.0 + weights[-1])  # another choice, whatever the momentum of the default
        assert sgd > adam
