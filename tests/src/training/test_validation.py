"""The validation of a training."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from src.config.compose import load_config
from src.training.trainer import Trainer


def trainer(tiny: list[str], *more: str) -> Trainer:
    overrides = [*tiny, *more]
    return Trainer(load_config(overrides), overrides)


def limited(forward: Callable[[Tensor], Tensor], above: int, asked: list[int]) -> Callable[[Tensor], Tensor]:
    """A forward pass that fails for more than ``above`` images."""

    def run(images: Tensor) -> Tensor:
        asked.append(len(images))
        if len(images) > above:
            raise torch.OutOfMemoryError("no room")
        return forward(images)

    return run


def test_out_of_memory_in_validation_heals_too(tiny: list[str]):
    healed, whole = (trainer(tiny, "data.image_size=[48,48]") for _ in range(2))
    healed.validation.shown = whole.validation.shown = [0, 2]
    expected = whole.validation.score(whole.model)
    asked: list[int] = []
    healed.model.forward = limited(healed.model.forward, 1, asked)
    found = healed.validation.score(healed.model)
    assert asked == [3, 2, 1, 1, 1]
    assert found.loss == pytest.approx(expected.loss)
    assert (found.histogram == expected.histogram).all()
    assert found.shown is not None
    torch.testing.assert_close(found.shown, expected.shown)


def test_a_report_has_the_probabilities_of_the_images_that_are_shown(tiny: list[str]):
    one = trainer(tiny, "data.batch_size=2")
    assert one.train_epoch().shown is None
    one.validation.shown = [1, 2]  # of two batches
    shown = one.train_epoch().shown
    assert shown is not None
    images = torch.stack([one.val_loader.dataset[index][0] for index in one.validation.shown])
    torch.testing.assert_close(shown, one.predict(images)[:, 0])
