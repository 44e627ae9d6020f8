"""The plan of a sweep."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from optuna import Trial

from src.cards import Card
from sweeps.about import read_about
from sweeps.plan import SESSION_SECONDS, START_SECONDS, described, duration, make_plan
from sweeps.spec import load_spec
from trainable.rehearsal import EpochCost

CARD = Card("NVIDIA GeForce RTX 3070 Ti", memory_mib=7965, free_mib=7100, context_mib=400)


def test_the_plan_says_rungs_epochs_hours_and_disk():
    plan = make_plan("quickstart", load_spec("quickstart"), seed=0)
    said = "\n".join(plan.lines(EpochCost(seconds=100.0, checkpoint_mib=1024.0, device="cpu")))
    expected = plan.expected
    for epoch, count in expected.trials_at.items():
        assert re.search(rf"^ *{epoch} +{count:.1f}", said, re.MULTILINE)
    assert f"10 trials, about {expected.epochs:.0f} epochs (without stopping 180)" in said
    busy = (expected.epochs * 100 + expected.starts * START_SECONDS) / plan.resources.trials_at_once
    assert f"about {duration((SESSION_SECONDS + busy) / 3600)} in all" in said
    assert "training.loss " in said
    assert "one of bce, dice_bce, dice_focal; dice_bce" in said
    assert "checkpoints: up to 20.0 GiB" in said
    assert "keeps the best" not in said
    more = "\n".join(plan.lines(EpochCost(seconds=100.0, checkpoint_mib=2048.0, device="cpu")))
    assert "up to 40.0 GiB" in more
    assert "of which the budget keeps the best 20" in more


def test_a_budget_of_epochs_bounds_what_is_expected():
    spec = load_spec("quickstart")
    plan = make_plan("quickstart", replace(spec, budget=replace(spec.budget, epochs=30)), seed=0)
    assert plan.expected.epochs == 30


def test_every_choice_of_a_network_is_a_family():
    plan = make_plan("unet_encoder", load_spec("unet_encoder"), seed=0)
    families = plan.families()
    assert families.keys() == {"model.encoder", "model.decoder.decoder_attention_type"}
    encoders = [point["model.encoder"] for point in families["model.encoder"]]
    assert encoders[:2] == ["resnet18", "resnet34"]
    assert len(set(encoders)) == 7
    assert {point["training.optimizer.lr_scale"] for point in families["model.encoder"]} == {1.0}
    assert make_plan("quickstart", load_spec("quickstart"), seed=0).families() == {}
    assert make_plan("swin_unet_lr", load_spec("swin_unet_lr"), seed=0).families() == {}  # drop path costs nothing


def test_all_keys_of_a_conditional_space_are_known_with_a_value():
    plan = make_plan("swin_unet_lr", load_spec("swin_unet_lr"), seed=0)
    assert plan.searched.keys() == plan.first.keys()

    def space(trial: Trial) -> None:
        if trial.suggest_categorical("training.loss", ["bce", "tversky"]) == "tversky":
            trial.suggest_float("training.loss.tversky.alpha", 0.2, 0.8)

    conditional = replace(plan, spec=replace(plan.spec, space=space), first={"training.loss": "bce"}, given=({"x": 1},))
    assert conditional.searched == {"training.loss": "bce", "training.loss.tversky.alpha": 0.2, "x": 1}


def test_every_key_of_a_conditional_space_is_described_with_the_choice_that_it_hangs_on():
    def space(trial: Trial) -> None:
        if trial.suggest_categorical("optimizer", ["adamw", "sgd", "nadamw"]) == "sgd":
            trial.suggest_float("momentum", 0.5, 0.99)
            trial.suggest_float("lr", 0.01, 1.0, log=True)
        else:
            trial.suggest_float("lr", 1e-5, 1e-2, log=True)

    assert described(space) == {
        "optimizer": "one of adamw, sgd, nadamw",
        "lr": "1e-05 to 0.01 (log) or 0.01 to 1.0 (log)",
        "momentum": "0.5 to 0.99 (only with optimizer=sgd)",
    }


@pytest.mark.parametrize(("metric", "kept"), [("val/f1", "val/f1"), ("val/iou_image", "val/iou_image")])
def test_a_training_keeps_its_best_network_by_what_it_is_ranked_by(metric: str, kept: str):
    spec = replace(load_spec("quickstart"), metric=metric)
    assert make_plan("quickstart", spec, seed=0).config.training.metric.monitor == kept
    own = replace(spec, fixed=(*spec.fixed, "training.metric=loss"))
    assert make_plan("quickstart", own, seed=0).config.training.metric.monitor == "val/loss"


def test_rungs_that_come_too_early_are_said_and_kept(tmp_path: Path):
    spec = load_spec("quickstart")
    short = make_plan("quickstart", replace(spec, asha=spec.asha.scaled(6)), seed=0)
    (warning,) = short.warnings
    assert f"warning: {warning}" in list(short.lines(None))
    short.save(tmp_path / "sweep.yaml", "Why?")
    assert read_about(tmp_path)["warnings"] == [warning]
    assert make_plan("quickstart", spec, seed=0).warnings == []


def test_days_on_a_cpu_are_said_plainly():
    plan = make_plan("swin_unet_lr", load_spec("swin_unet_lr"), seed=0)
    assert any(line.startswith("Days on this CPU") for line in plan.lines(EpochCost(3600.0, 300.0, "cpu")))
    assert not any(line.startswith("Days") for line in plan.lines(EpochCost(3600.0, 300.0, "cuda")))


def test_a_card_is_one_resource_of_the_plan():
    plan = make_plan("swin_unet_lr", load_spec("swin_unet_lr"), seed=0, cards=[CARD])
    assert (plan.resources.trials_at_once, plan.resources.gpus_per_trial) == (1, 1.0)
    assert plan.place == "1 at once, each on NVIDIA GeForce RTX 3070 Ti, 7.8 GiB"


def test_the_sweep_is_kept_as_run(tmp_path: Path):
    plan = make_plan("quickstart", load_spec("quickstart"), seed=5)
    plan.save(tmp_path / "sweep.yaml", "Why?")
    kept = read_about(tmp_path)
    assert kept["search_seed"] == 5
    assert kept["asha"] == {"grace_period": 3, "reduction_factor": 3, "max_epochs": 18, "rungs": [3, 9]}
    assert kept["trial_0"] == {"training.optimizer.lr_scale": 1.0, "training.loss": "dice_bce"}
    assert kept["provenance"]["packages"]["ray"]


def test_durations_are_in_the_unit_one_would_say():
    assert [duration(hours) for hours in (0.001, 0.2, 3.46, 100)] == ["a minute", "12 minutes", "3.5 hours", "4.2 days"]
