"""Whether no wait for a card goes unnoticed by the tests that say there is none."""

from collections.abc import Callable, Generator

import pytest
import torch
from fake_card import fake_card
from torch import Tensor
from waits import Waits

HOST = torch.ones(4)
WAITING: dict[str, Callable[[Tensor], object]] = {
    "item": lambda card: card.sum().item(),
    "float": lambda card: float(card.sum()),
    "bool": lambda card: bool((card > 1).any()),
    "tolist": lambda card: card.tolist(),
    "cpu": lambda card: card.cpu(),
    "a copy to the host": lambda card: card.to("cpu", non_blocking=True),
    "a copy into a host tensor": lambda card: torch.ones(4).copy_(card),
    "a copy of a host tensor": lambda card: HOST.to("cuda"),
    "a copy from a host tensor": lambda card: card.copy_(HOST),
    "a tensor of numbers": lambda card: torch.tensor([1.0, 2.0], device="cuda"),
    "a length": lambda card: card[: card.sum().long()],
    "an index of the host's": lambda card: card[torch.tensor([0, 1])],
    "writing at an index of the host's": lambda card: card.index_put_((torch.tensor([0]),), card[:1]),
    "writing where a mask is": lambda card: card.index_put_((card > 1,), card),
    "numpy": lambda card: card.cpu().numpy(),
    "bincount": lambda card: torch.bincount(card.long(), minlength=3),
}
NOT_WAITING: dict[str, Callable[[Tensor], object]] = {
    "a copy that does not block": lambda card: HOST.to("cuda", non_blocking=True),
    "writing one value where a mask is": lambda card: card.__setitem__(card > 1, 0.0),
    "an index of the card's": lambda card: card[torch.zeros(2, dtype=torch.long, device="cuda")],
    "a number of the host's": lambda card: card * HOST.sum(),
    "what happens on the host": lambda card: HOST.tolist(),
    "numpy on the host": lambda card: HOST.numpy(),
}
IMPOSSIBLE: dict[str, Callable[[Tensor], object]] = {
    "numpy without a copy": lambda card: card.numpy(),
    "nonzero": lambda card: card.nonzero(),
    "the pixels of a mask": lambda card: card[card > 1],
    "equal": lambda card: torch.equal(card, card),
    "a tensor of the host's": lambda card: card * HOST,
}


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Generator[Waits]:
    with fake_card(monkeypatch) as waits:
        yield waits


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("name", WAITING)
def test_what_waits_for_the_card_is_written_down_with_its_place(waits: Waits, name: str, inference: bool):
    with torch.inference_mode(inference):
        WAITING[name](torch.ones(4, device="cuda"))
    assert waits.seen
    assert all(wait.endswith(" in test_waits.py:<lambda>") for wait in waits.seen)


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("name", NOT_WAITING)
def test_what_does_not_wait_is_not_written_down(waits: Waits, name: str, inference: bool):
    with torch.inference_mode(inference):
        NOT_WAITING[name](torch.ones(4, device="cuda"))
    assert waits.seen == []


@pytest.mark.parametrize("name", IMPOSSIBLE)
@pytest.mark.usefixtures("waits")
def test_what_a_fake_card_cannot_answer_is_an_error(name: str):
    with pytest.raises((RuntimeError, NotImplementedError)):
        IMPOSSIBLE[name](torch.ones(4, device="cuda"))


def test_a_fake_card_leaves_nothing_behind():
    there = torch.cuda.is_available(), torch.load, Tensor.backward
    with pytest.MonkeyPatch.context() as patch, fake_card(patch):
        assert torch.cuda.is_available()
        assert torch.ones(2, device="cuda").device.index == 0
    assert (torch.cuda.is_available(), torch.load, Tensor.backward) == there
    assert type(torch.ones(2)) is Tensor
    assert torch.ones(2).tolist() == [1.0, 1.0]
