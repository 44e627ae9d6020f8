"""The run folder."""

import errno
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.metadata import (
    parse_experiment_plugin_data,
    parse_session_start_info_plugin_data,
)

from src.config.compose import load_config
from src.config.overrides import load_overrides
from src.data.cache import load_split
from src.data.files import read_image
from src.models.checkpoint import save_checkpoint
from src.scoring.inference import load_network
from src.training.experiment import Experiment, about_card, new_run_folder, read_rows
from src.training.panel import PredictionPanel
from src.training.trainer import Trainer


@pytest.fixture
def run_folder(trained_run: Path) -> Path:
    """Not a copy: nothing here writes into it."""
    return trained_run


def test_a_run_leaves_the_folder_of_the_guide(run_folder: Path):
    assert run_folder.parent.name == "experiments"
    assert run_folder.name.endswith("-crack")
    datetime.strptime(run_folder.name.removesuffix("-crack"), "%Y%m%d-%H%M%S")
    files = {str(path.relative_to(run_folder)) for path in run_folder.rglob("*") if path.is_file()}
    assert {"overrides.yaml", "config.yaml", "provenance.json", "metrics/metrics.csv"} <= files
    assert {"checkpoints/best_model.pth", "checkpoints/last.pth", "results/val_predictions.png"} <= files


def test_the_metrics_file_has_a_row_an_epoch_and_the_events_the_same_values(run_folder: Path):
    rows = read_rows(run_folder / "metrics" / "metrics.csv")
    assert [row["epoch"] for row in rows] == ["1", "2"]
    events = EventAccumulator(str(run_folder / "logs")).Reload()
    for name in ("train/loss", "val/loss", "val/iou", "val/iou_best", "val/f1", "lr"):
        assert [event.value for event in events.Scalars(name)] == pytest.approx([float(row[name]) for row in rows])
        assert [event.step for event in events.Scalars(name)] == [1, 2]


def test_the_panel_of_predictions_is_that_of_the_best_epoch_and_in_the_events_too(run_folder: Path, tmp_path: Path):
    best = max(read_rows(run_folder / "metrics" / "metrics.csv"), key=lambda row: float(row["val/iou_best"]))
    network = load_network(run_folder / "checkpoints" / "best_model.pth")
    data = network.config.data
    split = load_split(data.root, "val", data.image_size, data.cache_dir)
    images = torch.stack([torch.from_numpy(np.array(split.sample(index)[0])) for index in range(len(split))])
    panel = PredictionPanel(split)
    probs = network.probs(images)[sorted(panel.chosen), 0]
    expected = panel.draw(probs, float(best["val/threshold"]))
    np.testing.assert_array_equal(read_image(run_folder / "results" / "val_predictions.png"), expected)
    events = EventAccumulator(str(run_folder / "logs")).Reload().Images("val/predictions")
    assert [event.step for event in events] == sorted({event.step for event in events})
    assert int(best["epoch"]) in [event.step for event in events]
    (tmp_path / "shown.png").write_bytes(events[-1].encoded_image_string)
    np.testing.assert_array_equal(read_image(tmp_path / "shown.png"), expected)


def test_tensorboard_has_a_column_for_every_key_that_was_searched(tiny: list[str], tmp_path: Path):
    experiment = Experiment(tmp_path / "run", load_config(tiny), tiny)
    experiment.record_hparams({"x": 0.5, "y": None}, "val/iou", {"x": 0.1, "z": "b"})
    experiment.close()
    found = EventAccumulator(str(tmp_path / "run" / "logs")).Reload().summary_metadata
    said = parse_experiment_plugin_data(found["_hparams_/experiment"].plugin_data.content)
    assert {info.name for info in said.hparam_infos} == {"x", "y", "z"}
    assert [info.name.tag for info in said.metric_infos] == ["val/iou"]
    start = parse_session_start_info_plugin_data(found["_hparams_/session_start_info"].plugin_data.content)
    assert {name: value.WhichOneof("kind") for name, value in start.hparams.items()} == {
        "x": "number_value",
        "y": "string_value",
    }


def test_a_long_run_puts_about_ten_panels_into_its_events(tiny: list[str], tmp_path: Path):
    overrides = [*tiny, "training.epochs=30"]
    trainer = Trainer(load_config(overrides), overrides)
    experiment = Experiment(tmp_path / "run", trainer.config, overrides)
    experiment.describe(trainer)
    report = trainer.train_epoch()
    for epoch in range(1, 31):
        experiment.record(replace(report, epoch=epoch, is_best=True), trainer)
    experiment.close()
    events = EventAccumulator(str(tmp_path / "run" / "logs"), size_guidance={"images": 0}).Reload()
    assert [event.step for event in events.Images("val/predictions")] == list(range(1, 31, 3))


def test_the_kept_overrides_and_configuration_rebuild_the_run(run_folder: Path, trained_words: list[str]):
    assert list(load_overrides(run_folder / "overrides.yaml")) == trained_words
    kept = yaml.safe_load((run_folder / "config.yaml").read_text())
    assert kept == load_config(trained_words).model_dump(mode="json")


def test_provenance_says_what_made_the_numbers(run_folder: Path):
    about = json.loads((run_folder / "provenance.json").read_text())
    assert about["seed"] == 42
    assert about["device"] == "cpu"
    assert about["threads"] == 1
    assert about["pretrained_weights"] is False
    assert about["packages"]["torch"] == torch.__version__.partition("+")[0]
    assert len(about["data_fingerprint"]) == 33


def test_the_best_checkpoint_stays_that_of_the_best_epoch(tiny: list[str], tmp_path: Path):
    config = load_config(tiny)
    trainer = Trainer(config, tiny)
    experiment = Experiment(tmp_path / "run", config, tiny)
    best = trainer.train_epoch()
    experiment.record(best, trainer)
    experiment.wait()
    kept = torch.load(experiment.best_checkpoint, weights_only=True)
    worse = trainer.train_epoch()
    experiment.record(type(worse)(worse.epoch, worse.metrics, is_best=False), trainer)
    experiment.close()
    assert torch.load(experiment.best_checkpoint, weights_only=True)["epoch"] == kept["epoch"] == 1
    assert torch.load(experiment.last_checkpoint, weights_only=True)["epoch"] == 2


def test_a_resumed_run_replaces_the_rows_of_epochs_it_trains_again(tiny: list[str], tmp_path: Path):
    config = load_config(tiny)
    trainer = Trainer(config, tiny)
    experiment = Experiment(tmp_path / "run", config, tiny)
    report = trainer.train_epoch()
    experiment.record(report, trainer)
    again = type(report)(report.epoch, {**report.metrics, "val/iou": 0.123}, report.is_best)
    experiment.record(again, trainer)
    experiment.close()
    assert [(row["epoch"], row["val/iou"]) for row in read_rows(experiment.csv_path)] == [("1", "0.123")]


def test_the_training_goes_on_while_a_checkpoint_is_written(
    tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    written, slow = threading.Event(), save_checkpoint

    def save(payload: Mapping[str, Any], path: Path, before: Callable[[], None]) -> None:
        assert written.wait(timeout=60)
        slow(payload, path, before)

    monkeypatch.setattr("src.training.experiment.save_checkpoint", save)
    trainer = Trainer(load_config(tiny), tiny)
    experiment = Experiment(tmp_path / "run", trainer.config, tiny)
    first = trainer.train_epoch()
    experiment.record(first, trainer)
    second = trainer.train_epoch()  # while the first is being written
    assert not experiment.last_checkpoint.exists()
    written.set()
    experiment.wait()
    kept = torch.load(experiment.best_checkpoint, weights_only=True)
    assert kept["epoch"] == torch.load(experiment.last_checkpoint, weights_only=True)["epoch"] == 1
    experiment.record(type(second)(2, second.metrics, is_best=False), trainer, keep_previous=True)
    experiment.close()
    epochs = {
        path.name: torch.load(path, weights_only=True)["epoch"] for path in experiment.last_checkpoint.parent.iterdir()
    }
    assert epochs == {"best_model.pth": 1, "previous.pth": 1, "last.pth": 2}


def test_a_checkpoint_that_could_not_be_written_is_an_error_of_the_next_epoch(
    tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    trainer = Trainer(load_config(tiny), tiny)
    experiment = Experiment(tmp_path / "run", trainer.config, tiny)
    report = trainer.train_epoch()

    def fail(payload: Mapping[str, Any], path: Path, before: Callable[[], None]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("src.training.experiment.save_checkpoint", fail)
    experiment.record(report, trainer)
    with pytest.raises(OSError, match="No space left"):
        experiment.record(report, trainer)
    experiment.close()


def test_a_metric_that_not_every_epoch_has_is_a_column_with_gaps(tiny: list[str], tmp_path: Path):
    trainer = Trainer(load_config(tiny), tiny)
    experiment = Experiment(tmp_path / "run", trainer.config, tiny)
    report = trainer.train_epoch()
    experiment.record(type(report)(1, report.metrics | {"micro_batch": 2.0}, True), trainer)
    experiment.record(type(report)(2, report.metrics, True), trainer)
    experiment.close()
    assert [row["micro_batch"] for row in read_rows(experiment.csv_path)] == ["2.0", ""]


def test_what_is_known_of_a_card_is_kept(monkeypatch: pytest.MonkeyPatch):
    about = SimpleNamespace(total_memory=8 * 2**30, major=8, minor=6)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: about)
    monkeypatch.setattr("src.training.experiment.driver_version", lambda: "580.65")
    found = about_card(torch.device("cuda"))
    assert (found["gpu_memory_mib"], found["capability"], found["driver"]) == (8192, "8.6", "580.65")
    assert about_card(torch.device("cpu")) == {}


def test_two_runs_in_one_second_get_two_folders(tiny: list[str]):
    folders = [new_run_folder(load_config(tiny)) for _ in range(3)]
    assert len(set(folders)) == 3


def test_the_next_epoch_says_how_long_the_training_waited_for_the_one_before(tiny: list[str], tmp_path: Path):
    trainer = Trainer(load_config(tiny), tiny)
    experiment = Experiment(tmp_path / "run", trainer.config, tiny)
    report = trainer.train_epoch()
    experiment.record(report, trainer)
    experiment.wait()
    waited = experiment.waited
    assert waited > 0
    experiment.record(replace(report, epoch=2), trainer)
    experiment.close()
    assert [float(row["record_seconds"]) for row in read_rows(experiment.csv_path)] == [0.0, waited]
