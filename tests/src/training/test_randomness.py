"""The random state of a run: ``python -m pytest tests/src/training/test_randomness.py``."""

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from src.models.checkpoint import load_checkpoint, save_checkpoint
from src.training.randomness import random_state, restore_random_state, seed_everything

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def torch_as_it_was() -> Iterator[None]:
    """Undo what ``seed_everything`` chooses for the whole process."""
    yield
    torch.use_deterministic_algorithms(False)


def draw() -> list[float]:
    """A few numbers of each generator; an odd count, so that a Gaussian is left over in Python and in NumPy."""
    python = [random.random(), *(random.gauss() for _ in range(3))]
    return [*python, *np.random.rand(3), *np.random.normal(size=3), *torch.rand(3).tolist(), *torch.randn(3).tolist()]


def test_the_same_seed_draws_the_same_numbers_and_another_one_others() -> None:
    drawn: list[list[float]] = []
    for seed in (1, 1, 2):
        seed_everything(seed, deterministic=False)
        drawn.append(draw())
    assert drawn[0] == drawn[1]
    assert not set(drawn[0]) & set(drawn[2])


def test_after_a_checkpoint_the_same_numbers_are_drawn(tmp_path: Path) -> None:
    seed_everything(7, deterministic=False)
    draw()
    save_checkpoint({"random": random_state(CPU)}, tmp_path / "last.pth")
    expected = draw()
    seed_everything(8, deterministic=False)
    draw()
    restore_random_state(load_checkpoint(tmp_path / "last.pth")["random"], CPU)
    assert draw() == expected


def test_only_the_card_in_use_is_asked_for_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[torch.device, torch.Tensor] = {}
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: torch.tensor([7], dtype=torch.uint8))
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: kept.update({device: state}))
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", None)  # would start CUDA on every card
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)  # another machine than the checkpoint's
    assert random_state(CPU)["cuda"] == []
    card = torch.device("cuda")
    state = random_state(card)
    restore_random_state(state, card)
    assert kept[card].tolist() == [7]
    kept.clear()
    restore_random_state(state, CPU)
    restore_random_state(random_state(CPU), card)
    assert not kept


def test_taking_the_state_draws_nothing() -> None:
    seed_everything(7, deterministic=False)
    expected = draw()
    seed_everything(7, deterministic=False)
    random_state(CPU)
    assert draw() == expected


def test_a_state_is_not_changed_by_what_is_drawn_after_it() -> None:
    state = random_state(CPU)
    expected = draw()
    draw()
    for _ in range(2):
        restore_random_state(state, CPU)
        assert draw() == expected


@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_the_smallest_and_the_largest_legal_seed_work(seed: int) -> None:
    seed_everything(seed, deterministic=False)


def test_deterministic_is_switched_on_and_off_again() -> None:
    seed_everything(1, deterministic=True)
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.benchmark
    seed_everything(1, deterministic=False)
    assert not torch.are_deterministic_algorithms_enabled()
