"""Trainings that are measured together."""

import pytest

from src.errors import UserError
from trainable.packing import measure


@pytest.mark.slow
def test_trainings_that_run_together_are_added_up(tiny: list[str]):
    words = [word for word in tiny if not word.startswith("training.epochs")]
    one = measure(words, 1, seconds=0.5)
    two = measure(words, 2, seconds=0.5)
    assert one.images_per_second > 0
    assert two.images_per_second > 0
    assert one.memory_mib > 100


def test_a_training_that_cannot_begin_is_refused_with_its_reason(tiny: list[str]):
    with pytest.raises(UserError, match=r"measured has failed.*resnet19"):
        measure([*tiny, "model.encoder.name=resnet19"], 1, seconds=0.1)
