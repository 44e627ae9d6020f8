"""Rungs that come too early."""

import pytest
from optuna import Trial
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from sweeps.early_rungs import early_rungs, warmup_epochs
from sweeps.spec import Asha, list_specs, load_spec

FLAT: dict[str, BaseDistribution] = {"training.optimizer.lr_scale": FloatDistribution(0.1, 10.0, log=True)}
WARMUP = "training.lr_scheduler.warmup_fraction"


def rungs(grace: int, epochs: int, space: dict[str, BaseDistribution] = FLAT, *words: str) -> list[str]:
    asha = Asha(grace_period=grace, reduction_factor=3, max_epochs=epochs)
    return early_rungs(asha, space, [f"training.epochs={epochs}", *words])


@pytest.mark.parametrize("name", list_specs())
def test_the_sweeps_there_are_have_no_rung_too_early(name: str):
    spec = load_spec(name)
    assert early_rungs(spec.scheduler, spec.space, [*spec.fixed, f"training.epochs={spec.scheduler.max_epochs}"]) == []


def test_a_small_number_of_epochs_that_puts_a_rung_at_epoch_1_is_warned_of():
    asha = load_spec("quickstart").scheduler.scaled(6)
    assert asha.rungs == [1, 3]
    (line,) = early_rungs(asha, FLAT, ["training.epochs=6"])
    assert line.startswith("The rung at epoch 1 ")
    assert "epoch 2 or later" in line
    assert "--max-epochs" in line


def test_rungs_before_the_end_of_the_warm_up_are_warned_of():
    (line,) = rungs(2, 40, FLAT, f"{WARMUP}=0.16")
    assert line.startswith("The rungs at epochs 2, 6 ")
    assert "until epoch 6.4" in line
    assert "epoch 7 or later" in line
    assert rungs(7, 40, FLAT, f"{WARMUP}=0.16") == []


def test_the_longest_warm_up_that_is_searched_counts():
    searched = FLAT | {WARMUP: FloatDistribution(0.0, 0.25)}
    assert warmup_epochs(searched, ["training.epochs=20"]) == 5
    assert "until epoch 5" in rungs(4, 20, searched)[0]
    assert rungs(5, 20, searched) == []


def test_a_schedule_that_is_searched_counts_with_its_own_warm_up():
    searched = FLAT | {"training.lr_scheduler": CategoricalDistribution(["cosine", "one_cycle"])}
    assert warmup_epochs(searched, ["training.epochs=20"]) == pytest.approx(6)


def test_of_a_conditional_space_every_branch_counts():
    def space(trial: Trial) -> None:
        if trial.suggest_categorical("training.lr_scheduler", ["cosine", "poly"]) == "poly":
            trial.suggest_float(WARMUP, 0.1, 0.5)

    assert warmup_epochs(space, ["training.epochs=20"]) == 10


def test_a_search_without_rungs_has_none_too_early():
    assert rungs(1, 1) == []
