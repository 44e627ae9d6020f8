"""What is checked before the first trial; whole commands are in test_sweep.py."""

from dataclasses import replace
from typing import Any

import pytest
from optuna.samplers import TPESampler

from src.cards import Card
from src.errors import UserError
from sweeps import preflight
from sweeps.plan import make_plan
from sweeps.preflight import cards_for, check_sampler
from sweeps.spec import Budget, load_spec

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


@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        (lambda seed: None, "None"),
        (lambda seed: TPESampler(**{"sead": seed}), "sead"),
        (lambda: TPESampler(), "argument"),
    ],
)
def test_a_sampler_that_cannot_propose_is_refused_before_the_first_trial(sampler: Any, words: str):
    plan = make_plan("quickstart", load_spec("quickstart"), seed=0)
    with pytest.raises(UserError, match=rf"sampler=.*{words}"):
        check_sampler(replace(plan, spec=replace(plan.spec, sampler=sampler)))


def test_a_sampler_that_can_is_not():
    plan = make_plan("quickstart", load_spec("quickstart"), seed=0)
    for sampler in ("gp", "random", lambda seed: TPESampler(seed=seed, multivariate=True)):
        check_sampler(replace(plan, spec=replace(plan.spec, sampler=sampler)))


def test_a_card_to_plan_for_beside_a_cpu_to_run_on_is_refused():
    with pytest.raises(UserError, match=r"--gpu-memory.*device=cpu"):
        cards_for("cpu", Budget(trials=1), gpu_memory=8.0)
