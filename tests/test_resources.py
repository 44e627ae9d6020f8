"""One machine in equal parts."""

import pytest

from src.errors import UserError
from trainable.resources import share_machine


@pytest.mark.parametrize(
    ("at_once", "gpus", "cores", "expected"),
    [
        (None, 0, 2, (2, 1, 0.0)),
        (None, 0, 16, (4, 4, 0.0)),
        (1, 0, 2, (1, 2, 0.0)),
        (8, 0, 2, (8, 1, 0.0)),
        (None, 1, 16, (1, 16, 1.0)),
        (2, 1, 16, (2, 8, 0.5)),
        (None, 2, 16, (2, 8, 1.0)),
        (4, 2, 16, (4, 4, 0.5)),
    ],
)
def test_a_machine_is_shared_in_equal_parts(
    at_once: int | None, gpus: int, cores: int, expected: tuple[int, int, float]
):
    parts = share_machine(at_once, gpus, cores)
    assert (parts.trials_at_once, parts.cores_per_trial, parts.gpus_per_trial) == expected


def test_threads_belong_to_a_trial_on_a_cpu_only():
    assert share_machine(2, 0, 4).overrides() == ["threads=2"]
    assert share_machine(2, 1, 4).overrides() == []


def test_trials_that_cannot_share_the_cards_evenly_are_refused():
    with pytest.raises(UserError, match="trials_at_once=3: must be a multiple of the 2 graphics cards"):
        share_machine(3, 2, 16)
