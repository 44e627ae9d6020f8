"""The part of the machine that a sweep uses."""

import pytest
from optuna.distributions import FloatDistribution

from src.cards import Card
from src.errors import UserError
from sweeps import machines
from sweeps.machines import cards_for
from sweeps.spec import Asha, Budget, SweepSpec

CARD = Card("a card", memory_mib=8000, free_mib=7000, context_mib=400)


def spec(device: str, gpus: int | None = None) -> SweepSpec:
    return SweepSpec(
        fixed=(f"device={device}",),
        space={"training.optimizer.lr_scale": FloatDistribution(0.1, 1.0)},
        scheduler=Asha(grace_period=1, reduction_factor=3, max_epochs=3),
        budget=Budget(trials=1, gpus=gpus),
    )


def test_cards_that_are_not_here_can_be_planned_for():
    cards = cards_for(spec("auto", gpus=2), gpu_memory=8.0)
    assert [card.memory_mib for card in cards] == [8192, 8192]


def test_a_budget_of_cards_takes_the_first_of_them(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machines, "find_cards", lambda device: [CARD, CARD])
    assert len(cards_for(spec("auto"))) == 2
    assert len(cards_for(spec("auto", gpus=1))) == 1
    with pytest.raises(UserError, match="gpus=3"):
        cards_for(spec("auto", gpus=3))


def test_a_card_to_plan_for_beside_a_cpu_to_run_on_is_refused():
    with pytest.raises(UserError, match=r"--gpu-memory.*device=cpu"):
        cards_for(spec("cpu"), gpu_memory=8.0)
