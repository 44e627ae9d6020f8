"""A plan as a dry run prints it."""

import re
from dataclasses import replace

from sweeps.plan import SESSION_SECONDS, START_SECONDS, make_plan
from sweeps.plan_in_words import duration, plan_lines
from sweeps.spec import load_spec
from trainable.resources import Resources
from trainable.smoke_test import EpochCost


def test_the_plan_says_rungs_epochs_hours_and_disk():
    plan = make_plan("quickstart", load_spec("quickstart"), seed=0)
    said = "\n".join(plan_lines(plan, EpochCost(seconds=100.0, checkpoint_mib=1024.0, device="cpu")))
    expected = plan.forecast()
    for epoch, count in expected.trials_at.items():
        assert re.search(rf"^ *{epoch} +{count:.1f}", said, re.MULTILINE)
    assert f"10 trials, about {expected.epochs:.0f} epochs (without stopping 180)" in said
    busy = (expected.epochs * 100 + expected.starts * START_SECONDS) / plan.resources.trials_at_once
    assert f"about {duration((SESSION_SECONDS + busy) / 3600)} in total" in said
    assert "training.loss " in said
    assert "one of bce, dice_bce, dice_focal; dice_bce" in said
    assert "checkpoints: up to 20.0 GiB" in said
    assert "the budget keeps" not in said
    more = "\n".join(plan_lines(plan, EpochCost(seconds=100.0, checkpoint_mib=2048.0, device="cpu")))
    assert "up to 40.0 GiB" in more
    assert "the budget keeps 20 GiB" in more


def test_what_takes_longer_than_a_night_comes_with_ways_to_a_shorter_search():
    plan = make_plan("swin_unet_lr", load_spec("swin_unet_lr"), seed=0, resources=Resources(1, 1))
    night = 10 * 3600 / plan.forecast().epochs
    ways, end = (line for line in plan_lines(plan, EpochCost(1.6 * night, 300.0, "cpu")) if "night" in line)
    assert "To fit: data.image_size=[256,256], about 4.0 hours; --max-epochs 36, about" in ways
    assert "lose the thinnest cracks" in ways
    assert "--hours 10" in end
    assert not any("night" in line for line in plan_lines(plan, EpochCost(0.9 * night, 300.0, "cpu")))


def test_what_no_option_makes_fit_needs_another_machine():
    plan = make_plan("quickstart", load_spec("quickstart"), seed=0)
    ways, _ = (line for line in plan_lines(plan, EpochCost(1e6, 300.0, "cuda")) if "night" in line)
    assert "No options" in ways


def test_a_search_that_ends_by_its_hours_needs_none():
    spec = load_spec("swin_unet_lr")
    plan = make_plan("swin_unet_lr", replace(spec, budget=replace(spec.budget, hours=8)), seed=0)
    assert not any("night" in line for line in plan_lines(plan, EpochCost(3600.0, 300.0, "cpu")))


def test_durations_are_in_the_unit_one_would_say():
    assert [duration(hours) for hours in (0.001, 0.2, 3.46, 100)] == ["a minute", "12 minutes", "3.5 hours", "4.2 days"]
