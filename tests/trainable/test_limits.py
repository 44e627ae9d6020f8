"""Limits of what a network may cost."""

import pytest

from src.errors import UserError
from trainable.limits import Costs, Limits, read_limits

SMALL, LARGE = Costs(1e6, 10.0, 50.0), Costs(2e7, 80.0, 900.0)


def test_a_limit_that_is_not_given_is_never_broken():
    assert not list(Limits().broken(LARGE))
    assert not list(Limits(parameters=1e6, milliseconds=10, peak_mib=50).broken(SMALL))
    (broken,) = Limits(milliseconds=30).broken(LARGE)
    assert broken == "milliseconds 80 > 30"
    assert len(list(Limits(parameters=5e6, peak_mib=100).broken(LARGE))) == 2


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), True, "5"])
def test_a_limit_is_a_number_above_0(value: object):
    with pytest.raises(UserError, match="milliseconds="):
        Limits(milliseconds=value)  # type: ignore[arg-type]


def test_costs_come_back_from_the_metrics_of_an_epoch_and_older_ones_have_none():
    assert Costs.of(SMALL.metrics() | {"val/iou": 0.5}) == SMALL
    assert Costs.of({"val/iou": 0.5}) is None


@pytest.mark.parametrize("word", ["speed=3", "milliseconds", "milliseconds=fast", "milliseconds=0"])
def test_a_limit_of_the_command_line_is_a_known_cost_and_a_number(word: str):
    assert read_limits(["milliseconds=30", "parameters=5e6"]) == Limits(milliseconds=30.0, parameters=5e6)
    with pytest.raises(UserError, match=word.partition("=")[0]):
        read_limits([word])
