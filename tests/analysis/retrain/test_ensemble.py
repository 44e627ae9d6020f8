"""The mean of several networks beside the best of them; that it is computed is in test_cli."""

from pathlib import Path

import pytest

from analysis.intervals import Interval
from analysis.retrain.ensemble import EnsembleResult


def result(gain: float, groups: int = 20) -> EnsembleResult:
    found = Interval(mean=gain, seeds=1, sd=0.0, groups=groups, images_sd=0.005)
    return EnsembleResult("t0003-good", [Path("a b/0.pth"), Path("a b/1.pth")], 0.4, 0.6, found)


@pytest.mark.parametrize(
    ("gain", "groups", "says"),
    [
        (0.02, 20, "'a b'/*.pth"),
        (0.002, 20, "is as good"),
        (-0.02, 20, "One network is better"),
        (0.02, 1, "is as good"),
    ],
)
def test_the_mean_is_recommended_only_where_its_interval_is_above_zero(gain: float, groups: int, says: str):
    found, advice = result(gain, groups).sentences
    assert says in advice
    assert ("--threshold 0.400" in advice) == (gain > 0.01 and groups > 1)
    assert f"{0.6 + gain:.4f}" in found


def test_what_is_kept_says_that_there_is_no_interval_without_two_groups_of_photographs():
    assert result(0.02, groups=1).content()["interval_of_gain"] is None
    low, high = result(0.02).content()["interval_of_gain"]
    assert low < 0.02 < high
