"""The plan of a sweep."""

from pathlib import Path

import yaml

from sweeps.plan import duration, make_plan
from sweeps.spec import load_spec
from trainable.rehearsal import EpochCost


def test_the_plan_says_rungs_epochs_and_hours():
    plan = make_plan("quickstart", load_spec("quickstart"), seed=0, gpus=0)
    said = "\n".join(plan.lines(EpochCost(seconds=100.0, checkpoint_mib=10.0, device="cpu")))
    assert "rungs at epochs 3, 9; end at 18" in said
    assert "10 trials, about 72 epochs (without stopping 180)" in said
    hours = 72 * 100 / 3600 / plan.resources.trials_at_once
    assert f"about {duration(hours)} in all" in said
    assert "training.loss " in said
    assert "one of bce, dice_bce, dice_focal; dice_bce" in said


def test_days_on_a_cpu_are_said_plainly():
    plan = make_plan("swin_unet_lr", load_spec("swin_unet_lr"), seed=0, gpus=0)
    assert any(line.startswith("Days on this CPU") for line in plan.lines(EpochCost(3600.0, 300.0, "cpu")))
    assert not any(line.startswith("Days") for line in plan.lines(EpochCost(3600.0, 300.0, "cuda")))


def test_a_card_is_one_resource_of_the_plan():
    plan = make_plan("swin_unet_lr", load_spec("swin_unet_lr"), seed=0, gpus=1)
    assert (plan.resources.trials_at_once, plan.resources.gpus_per_trial) == (1, 1.0)
    assert not any(word.startswith("threads=") for word in plan.fixed)


def test_the_sweep_is_kept_as_run(tmp_path: Path):
    plan = make_plan("quickstart", load_spec("quickstart"), seed=5, gpus=0)
    plan.save(tmp_path / "sweep.yaml")
    kept = yaml.safe_load((tmp_path / "sweep.yaml").read_text())
    assert kept["search_seed"] == 5
    assert kept["asha"] == {"grace_period": 3, "reduction_factor": 3, "max_epochs": 18, "rungs": [3, 9]}
    assert kept["trial_0"] == {"training.optimizer.lr_scale": 1.0, "training.loss": "dice_bce"}
    assert kept["provenance"]["packages"]["ray"]


def test_durations_are_in_the_unit_one_would_say():
    assert [duration(hours) for hours in (0.001, 0.2, 3.46, 100)] == ["a minute", "12 minutes", "3.5 hours", "4.2 days"]
