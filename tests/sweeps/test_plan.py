"""The plan of a sweep."""

from dataclasses import replace
from pathlib import Path

import pytest
from optuna import Trial

from src.cards import Card
from sweeps.about import read_about
from sweeps.plan import make_plan
from sweeps.plan_in_words import plan_lines
from sweeps.spec import load_spec
from trainable.resources import share_machine

CARD = Card("NVIDIA GeForce RTX 3070 Ti", memory_mib=7965, free_mib=7100, context_mib=400)


def test_a_budget_of_epochs_bounds_what_is_expected():
    spec = load_spec("quickstart")
    plan = make_plan("quickstart", replace(spec, budget=replace(spec.budget, epochs=30)), seed=0)
    assert plan.forecast().epochs == 30


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
    assert plan.example_values.keys() == plan.default_params.keys()

    def space(trial: Trial) -> None:
        if trial.suggest_categorical("training.loss", ["bce", "tversky"]) == "tversky":
            trial.suggest_float("training.loss.tversky.alpha", 0.2, 0.8)

    conditional = replace(
        plan, spec=replace(plan.spec, space=space), default_params={"training.loss": "bce"}, known_points=({"x": 1},)
    )
    assert conditional.example_values == {"training.loss": "bce", "training.loss.tversky.alpha": 0.2, "x": 1}


@pytest.mark.parametrize(("metric", "kept"), [("val/f1", "val/f1"), ("val/iou_image", "val/iou_image")])
def test_a_training_keeps_its_best_network_by_what_it_is_ranked_by(metric: str, kept: str):
    spec = replace(load_spec("quickstart"), metric=metric)
    assert make_plan("quickstart", spec, seed=0).config.training.metric.monitor == kept
    own = replace(spec, fixed=(*spec.fixed, "training.metric=loss"))
    assert make_plan("quickstart", own, seed=0).config.training.metric.monitor == "val/loss"


def test_rungs_that_come_too_early_are_said_and_kept(tmp_path: Path):
    spec = load_spec("quickstart")
    short = make_plan("quickstart", replace(spec, scheduler=spec.scheduler.scaled(6)), seed=0)
    (warning,) = short.warnings()
    assert f"warning: {warning}" in list(plan_lines(short, None))
    short.save(tmp_path / "sweep.yaml", "Why?")
    assert read_about(tmp_path)["warnings"] == [warning]
    assert make_plan("quickstart", spec, seed=0).warnings() == []


def test_a_card_is_one_resource_of_the_plan():
    plan = make_plan("swin_unet_lr", load_spec("swin_unet_lr"), seed=0, resources=share_machine(None, [CARD]))
    assert (plan.resources.trials_at_once, plan.resources.gpus_per_trial) == (1, 1.0)
    assert plan.resources_in_words == "1 at once, each on NVIDIA GeForce RTX 3070 Ti, 7.8 GiB"


def test_the_sweep_is_kept_as_run(tmp_path: Path):
    plan = make_plan("quickstart", load_spec("quickstart"), seed=5)
    plan.save(tmp_path / "sweep.yaml", "Why?")
    kept = read_about(tmp_path)
    assert kept["search_seed"] == 5
    settings = {"grace_period": 3, "reduction_factor": 3, "max_epochs": 18, "variant": "promotion"}
    assert kept["scheduler"] == {"name": "asha", **settings, "rungs": [3, 9], "described": "one in 3, promotion"}
    assert kept["sampler"] == "gp"
    assert kept["trial_0"] == {"training.optimizer.lr_scale": 1.0, "training.loss": "dice_bce"}
    assert kept["provenance"]["packages"]["ray"]
