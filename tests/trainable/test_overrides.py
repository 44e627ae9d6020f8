"""A trial as overrides, read back exactly."""

import pytest

from src.config.compose import load_config
from trainable.overrides import override_value, trial_overrides


@pytest.mark.parametrize(
    ("value", "written"),
    [(1e-05, "1e-05"), (None, "null"), (True, "true"), ("bce", "bce"), ([1, 2], "[1,2]"), (3, "3")],
)
def test_a_sampled_value_is_written_as_the_configuration_reads_it(value: object, written: str):
    assert override_value(value) == written


def test_a_sampled_float_comes_back_with_all_its_digits():
    lr = 0.00012345678901234567
    config = load_config(trial_overrides((), {"training.optimizer.lr": lr}))
    assert config.training.optimizer.lr == lr
