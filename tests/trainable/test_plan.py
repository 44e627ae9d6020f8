"""What all trials of a sweep share."""

import pickle
from pathlib import Path

from src.config.overrides import Overrides
from trainable.plan import TrialPlan


def test_a_plan_comes_to_another_process_as_it_was():
    plan = TrialPlan(Path("/sweep"), Overrides.parse(["seed=1"]), "val/iou", {"lr": 0.1}, rungs=(3, 9))
    assert pickle.loads(pickle.dumps(plan)) == plan
