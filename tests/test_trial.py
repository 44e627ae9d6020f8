"""The Ray trainable, driven as Ray drives it but without Ray."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from src.config import compose_values, group_choices, load_config, load_overrides
from src.errors import UserError
from trainable.trial import CrackTrial, TrialPlan, check_sampled, override_value, trial_overrides


class NamedTrial(CrackTrial):
    """Ray names a trial; here the parameters do."""

    name = "t0000-abcdef"

    @property
    def trial_name(self) -> str:
        return self.name


def plan(tiny: list[str], tmp_path: Path) -> TrialPlan:
    return TrialPlan(tmp_path / "sweep", tuple(tiny), "val/iou_best")


@pytest.fixture
def trial(tiny: list[str], tmp_path: Path) -> NamedTrial:
    started = NamedTrial.__new__(NamedTrial)
    started.setup({"training.optimizer.lr": 1e-3, "training.loss": "dice_focal"}, plan=plan(tiny, tmp_path))
    return started


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "result.json").read_text().splitlines()]


def test_a_step_is_an_epoch_and_reports_the_metric_keys(trial: NamedTrial):
    first, second = trial.step(), trial.step()
    assert (first["epoch"], first["done"]) == (1, False)
    assert (second["epoch"], second["done"]) == (2, True)
    assert {"val/iou_best", "val/iou", "train/loss", "lr"} <= first.keys()
    written = lines(trial.folder)
    assert [line["epoch"] for line in written] == [1, 2]
    assert written[1]["val/iou_best"] == second["val/iou_best"]
    assert written[0]["params"] == {"training.optimizer.lr": 1e-3, "training.loss": "dice_focal"}


def test_the_folder_holds_a_run_with_its_overrides(trial: NamedTrial, tiny: list[str]):
    trial.step()
    overrides = load_overrides(trial.folder / "overrides.yaml")
    assert overrides == [*tiny, "training.optimizer.lr=0.001", "training.loss=dice_focal"]
    assert load_config(overrides).training.loss.keys() == {"dice", "focal"}
    assert (trial.folder / "checkpoints" / "best_model.pth").is_file()


def test_a_checkpoint_carries_the_trial_to_another_process(
    trial: NamedTrial, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    first = trial.step()
    pointer = tmp_path / "pointer"
    pointer.mkdir()
    trial.save_checkpoint(str(pointer))
    monkeypatch.setattr(NamedTrial, "name", "t0001-abcdef")
    other = NamedTrial.__new__(NamedTrial)
    other.setup(dict(trial.params), plan=plan(tiny, tmp_path))
    other.load_checkpoint(str(pointer))
    expected, found = trial.step(), other.step()
    assert found["epoch"] == 2
    assert found["val/iou_best"] == expected["val/iou_best"] != first["val/iou_best"]


def test_a_reused_process_trains_the_next_trial_as_a_fresh_one_would(
    trial: NamedTrial, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    trial.step()
    params = {"training.optimizer.lr": 5e-3}
    monkeypatch.setattr(NamedTrial, "name", "t0001-reused")
    assert trial.reset_config(params)
    reused = trial.step()
    monkeypatch.setattr(NamedTrial, "name", "t0002-fresh")
    fresh = NamedTrial.__new__(NamedTrial)
    fresh.setup(params, plan=plan(tiny, tmp_path))
    assert {**fresh.step(), "epoch_seconds": 0, "images_per_second": 0} == {
        **reused,
        "epoch_seconds": 0,
        "images_per_second": 0,
    }
    for name, value in fresh.trainer.model.state_dict().items():
        assert torch.equal(value, trial.trainer.model.state_dict()[name])


def test_two_learning_rates_give_two_networks(trial: NamedTrial, monkeypatch: pytest.MonkeyPatch):
    trial.step()
    one = {name: value.clone() for name, value in trial.trainer.model.state_dict().items()}
    monkeypatch.setattr(NamedTrial, "name", "t0001-abcdef")
    trial.reset_config({**trial.params, "training.optimizer.lr": 2e-3})
    trial.step()
    assert any(not torch.equal(value, one[name]) for name, value in trial.trainer.model.state_dict().items())


def test_a_process_survives_a_trial_that_could_not_start(trial: NamedTrial, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(NamedTrial, "name", "t0001-broken")
    with pytest.raises(UserError, match="Unknown encoder"):
        trial.reset_config({"model.encoder.name": "resnet19"})
    monkeypatch.setattr(NamedTrial, "name", "t0002-next")
    assert trial.reset_config({"training.optimizer.lr": 1e-3})
    assert trial.step()["epoch"] == 1


def test_memory_that_did_not_come_back_is_said_and_the_process_goes_on(
    trial: NamedTrial, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(NamedTrial, "name", "t0001-next")
    monkeypatch.setattr(NamedTrial, "left_over_mib", 300)
    assert trial.reset_config({"training.optimizer.lr": 1e-3})
    assert "300 MiB of GPU memory are still held" in caplog.text


@pytest.mark.parametrize(
    ("value", "written"),
    [(1e-05, "1e-05"), (None, "null"), (True, "true"), ("bce", "bce"), ([1, 2], "[1,2]"), (3, "3")],
)
def test_a_sampled_value_is_written_as_the_configuration_reads_it(value: object, written: str):
    assert override_value(value) == written


def test_a_sampled_float_comes_back_with_all_its_digits():
    lr = 0.00012345678901234567
    config = load_config(trial_overrides((), {"training.optimizer.lr": lr}))
    assert config.training.optimizer.lr == lr


def test_a_sampled_key_that_the_configuration_does_not_hold_is_noticed():
    overrides = ["training.loss=bce", "seed=1"]
    values, choices = compose_values(overrides), group_choices(overrides)
    check_sampled(values, choices, {"seed": 1, "training.loss": "bce"})
    with pytest.raises(AssertionError, match=r"training\.loss=dice was sampled"):
        check_sampled(values, choices, {"training.loss": "dice"})
    with pytest.raises(AssertionError, match="seed=2 was sampled"):
        check_sampled(values, choices, {"seed": 2})
