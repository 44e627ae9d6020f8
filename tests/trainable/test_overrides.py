"""A trial as overrides, read back exactly."""

from pathlib import Path

import pytest

from src.config.compose import load_config
from trainable.overrides import SWEEP, override_value, placed, trial_overrides


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


def test_the_folder_of_the_sweep_is_where_it_is_now(tmp_path: Path):
    params = {"data.root": f"{SWEEP}/folds/2", "seed": 3, "training.loss": "bce"}
    assert placed(params, tmp_path) == {"data.root": f"{tmp_path}/folds/2", "seed": 3, "training.loss": "bce"}
