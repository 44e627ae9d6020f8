"""What a network costs where it is used."""

from pathlib import Path

import pytest
import torch
from torch import nn

from src.config.compose import load_config
from src.errors import UserError
from src.training.trainer import Trainer
from trainable.costs import check_default, known_costs, measure_costs
from trainable.limits import Limits

MIB = 2**20


class Wide(nn.Module):
    """A convolution to 64 channels and one back: what lies between is the peak."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Conv2d(3, 64, 1, bias=False), nn.Conv2d(64, 1, 1, bias=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.down(self.up(images))


def test_weights_are_counted_and_the_peak_is_that_of_the_widest_place(tiny: list[str]):
    config = load_config([*tiny, "data.image_size=[256,256]"])
    costs = measure_costs(Wide(), config)
    assert costs.parameters == 3 * 64 + 64
    assert costs.milliseconds > 0
    between = 256 * 256 * 4 * 64 / MIB
    assert between < costs.peak_mib < 1.25 * between


def test_a_training_goes_on_as_if_nothing_had_been_measured(tiny: list[str]):
    plain = Trainer(load_config(tiny), tiny)
    expected = plain.train_epoch().metrics["train/loss"]
    measured = Trainer(load_config(tiny), tiny)
    measure_costs(measured.model, measured.config)
    assert measured.model.training
    assert measured.train_epoch().metrics["train/loss"] == expected
    for one, other in zip(plain.model.state_dict().values(), measured.model.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_costs_are_measured_once_a_trial(tiny: list[str], tmp_path: Path):
    config = load_config(tiny)
    first = known_costs(Wide(), config, tmp_path)
    assert known_costs(nn.Identity(), config, tmp_path) == first


def test_a_default_above_a_limit_is_refused_with_the_number(tiny: list[str]):
    costs = check_default(tiny, Limits(parameters=1e9))
    with pytest.raises(UserError, match=rf"parameters {costs.parameters:,.0f} > 10"):
        check_default(tiny, Limits(parameters=10))
