"""The Ray trainable, driven as Ray drives it but without Ray."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from checkout import ROOT

import trainable.trial
from src.config.overrides import Overrides
from trainable.plan import TrialPlan
from trainable.ray_trial import CrackTrial


class FakeProcess:
    """Says what it is asked."""

    def __init__(self, plan: TrialPlan) -> None:
        self.said: list[object] = [plan]

    def take(self, job: dict[str, Any]) -> None:
        self.said.append(job)

    def step(self) -> dict[str, Any]:
        return {"said": list(self.said)}

    def release(self) -> None:
        self.said.append("released")


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrialPlan:
    """Of a sweep on processor cores, whose processes hide the graphics cards."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    return TrialPlan(tmp_path, Overrides(), "val/iou_best")


def started(plan: TrialPlan, job: dict[str, Any]) -> CrackTrial:
    trial = CrackTrial.__new__(CrackTrial)
    trial.setup(job, plan=plan)
    return trial


def test_a_process_trains_the_trials_that_it_is_given_one_after_the_other(
    plan: TrialPlan, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(trainable.trial, "TrialProcess", FakeProcess)
    trial = started(plan, {"trial": "t0"})
    assert trial.step() == {"said": [plan, {"trial": "t0"}]}
    assert trial.reset_config({"trial": "t1"})
    assert trial.step()["said"][-1] == {"trial": "t1"}
    trial.cleanup()
    assert trial.step()["said"][-1] == "released"


def test_a_process_that_checked_networks_trains_the_next_trial(plan: TrialPlan, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(trainable.trial, "TrialProcess", FakeProcess)
    trial = started(plan, {"corners": [], "on_card": False})
    assert trial.step() == {"refused": ""}
    assert trial.reset_config({"trial": "t0"})
    assert trial.step()["said"] == [plan, {"trial": "t0"}]


def test_a_corner_that_cannot_be_trained_is_reported_with_its_reason(plan: TrialPlan, tiny: list[str]):
    corners = [Overrides.parse(tiny), Overrides.parse([*tiny, "model.encoder.name=resnet19"])]
    refused = started(plan, {"corners": corners, "on_card": False}).step()["refused"]
    assert "resnet19" in refused
    assert "cannot be trained" in refused


def test_the_program_that_runs_a_sweep_does_not_import_torch():
    code = "import sys, sweeps.sweep, sweeps.preflight, sweeps.run_trials; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "False", done.stderr


def test_a_sweep_that_was_planned_without_cards_uses_none(plan: TrialPlan, monkeypatch: pytest.MonkeyPatch):
    started(replace(plan, trials_per_card=1), {"trial": "t0"})
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
    started(plan, {"trial": "t0"})
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""


def test_a_process_of_a_cluster_imports_what_trials_need_when_it_starts(
    plan: TrialPlan, monkeypatch: pytest.MonkeyPatch
):
    imported: list[str] = []
    monkeypatch.setattr("trainable.ray_trial.import_module", imported.append)
    started(plan, {"trial": "t0"})
    assert not imported
    started(replace(plan, import_at_once=True), {"trial": "t0"})
    assert imported == ["trainable.preload"]
