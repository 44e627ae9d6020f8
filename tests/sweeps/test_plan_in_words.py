"""A plan as a dry run prints it."""

import re

from sweeps.plan import SESSION_SECONDS, START_SECONDS, make_plan
from sweeps.plan_in_words import duration, plan_lines
from sweeps.spec import load_spec
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


def test_days_on_a_cpu_are_said_plainly():
    plan = make_plan("swin_unet_lr", load_spec("swin_unet_lr"), seed=0)
    assert any("days on a CPU" in line for line in plan_lines(plan, EpochCost(3600.0, 300.0, "cpu")))
    assert not any("days on" in line for line in plan_lines(plan, EpochCost(3600.0, 300.0, "cuda")))


def test_durations_are_in_the_unit_one_would_say():
    assert [duration(hours) for hours in (0.001, 0.2, 3.46, 100)] == ["a minute", "12 minutes", "3.5 hours", "4.2 days"]
