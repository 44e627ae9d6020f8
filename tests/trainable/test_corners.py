"""Corners of a space, by network."""

import pytest

from src.config.overrides import Overrides
from src.errors import UserError
from trainable.corners import by_network


def corners(*words: str) -> list[Overrides]:
    return [Overrides.parse(["model.encoder=tiny", word]) for word in words]


def test_corners_that_differ_in_numbers_alone_are_one_group():
    numbers = corners("training.optimizer.lr=1e-4", "training.optimizer.lr=1e-2", "training.loss.dice.weight=2")
    others = corners("training.loss=bce", "training.optimizer=sgd", "data.batch_size=4")
    assert by_network([*numbers, *others]) == [numbers, *([other] for other in others)]


def test_a_corner_that_cannot_be_composed_is_named():
    with pytest.raises(UserError, match=r"corner model.encoder=tiny data.batch_size=0 cannot be trained: .*batch_size"):
        by_network(corners("seed=1", "data.batch_size=0"))
