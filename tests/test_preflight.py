"""What is checked before the first trial; whole commands are in test_sweep.py."""

import pytest

from src.cards import Card
from src.errors import UserError
from sweeps import preflight
from sweeps.preflight import cards_for
from sweeps.spec import Budget

CARD = Card("a card", memory_mib=8000, free_mib=7000, context_mib=400)


def test_cards_that_are_not_here_can_be_planned_for():
    cards = cards_for("auto", Budget(trials=1, gpus=2), gpu_memory=8.0)
    assert [card.memory_mib for card in cards] == [8192, 8192]


def test_a_budget_of_cards_takes_the_first_of_them(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(preflight, "find_cards", lambda device: [CARD, CARD])
    assert len(cards_for("auto", Budget(trials=1), None)) == 2
    assert len(cards_for("auto", Budget(trials=1, gpus=1), None)) == 1
    with pytest.raises(UserError, match="gpus=3"):
        cards_for("auto", Budget(trials=1, gpus=3), None)


def test_a_card_to_plan_for_beside_a_cpu_to_run_on_is_refused():
    with pytest.raises(UserError, match=r"--gpu-memory.*device=cpu"):
        cards_for("cpu", Budget(trials=1), gpu_memory=8.0)
