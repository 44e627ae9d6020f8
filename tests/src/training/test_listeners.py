"""Programs that are told of each epoch, by the real packages."""

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from src.config.compose import load_config
from src.config.schema import Config
from src.errors import UserError
from src.training import listeners
from src.training.experiment import read_rows
from src.training.listeners import Listeners, collection_of, flat, mlflow_file, refuse_missing
from src.training.run import train
from sweeps.identity import surroundings
from sweeps.plan import make_plan
from sweeps.spec import load_spec


def runs_of(output_root: Path) -> dict[str, Any]:
    """What MLflow has: each experiment's runs."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{(output_root / 'mlflow.db').absolute()}")
    found = {one.name: client.search_runs([one.experiment_id]) for one in client.search_experiments()}
    return {name: [(run, client) for run in runs] for name, runs in found.items() if runs}


def test_mlflow_has_every_epoch_and_key_of_a_run_also_of_one_that_goes_on(tiny: list[str]):
    output_root = load_config(tiny).output_root
    words = [*tiny, "listeners=[mlflow]", "experiment_name=mine"]
    folder = train(load_config(words), words)
    ((run, client),) = runs_of(output_root)["mine"]
    assert (run.info.run_name, run.info.status) == (folder.name, "FINISHED")
    rows = read_rows(folder / "metrics" / "metrics.csv")
    history = client.get_metric_history(run.info.run_id, "val/iou_best")
    assert [(point.step, point.value) for point in history] == [
        (int(row["epoch"]), float(row["val/iou_best"])) for row in rows
    ]
    assert run.data.params["training.optimizer.lr"] == str(load_config(words).training.optimizer.lr)
    more = [*words, "training.epochs=3"]
    going_on = Listeners(folder, load_config(more))
    going_on.epoch(3, {"val/iou_best": 0.5})
    going_on.end()
    ((run, client),) = runs_of(output_root)["mine"]
    assert [point.step for point in client.get_metric_history(run.info.run_id, "val/iou_best")] == [1, 2, 3]


def test_wandb_keeps_a_run_offline_under_the_name_of_its_folder(tiny: list[str]):
    words = [*tiny, "listeners=[wandb]", "training.epochs=1"]
    folder = train(load_config(words), words)
    (kept,) = (load_config(words).output_root / "wandb").glob("offline-run-*/run-*.wandb")
    content = kept.read_bytes()
    for expected in (b"val/iou_best", folder.name.encode(), b"training.optimizer.lr"):
        assert expected in content
    assert json.loads((folder / "listeners.json").read_text())["wandb"] in kept.name


class Failing:
    made, ended = 0, 0

    def __init__(self, folder: Path, config: Config) -> None:
        Failing.made += 1

    def epoch(self, number: int, metrics: Mapping[str, float]) -> None:
        raise ConnectionError("the server is gone")

    def end(self) -> None:
        Failing.ended += 1


def test_a_listener_that_fails_is_told_of_once_and_the_training_goes_on(
    tiny: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setitem(listeners.LISTENERS, "mlflow", Failing)
    monkeypatch.setattr(listeners, "GIVEN_UP", set[str]())
    words = [*tiny, "listeners=[mlflow]"]
    with caplog.at_level(logging.WARNING):
        folder = train(load_config(words), words)
    assert len(read_rows(folder / "metrics" / "metrics.csv")) == 2
    assert [record.message for record in caplog.records if "listeners=[mlflow]" in record.message] == [
        "listeners=[mlflow]: the server is gone; nothing more is passed on, and the folders have all of it"
    ]
    train(load_config(words), words)  # the next run of this process does not wait for it again
    assert (Failing.made, Failing.ended) == (1, 1)


def test_a_run_without_an_epoch_is_nowhere_else(tiny: list[str], tmp_path: Path):
    config = load_config([*tiny, "listeners=[mlflow]"])
    none = Listeners(tmp_path / "sweeps" / "mine" / "t0000-a", config)
    none.end()
    assert not (config.output_root / "mlflow.db").exists()


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("outputs/experiments/2026-crack", "crack"),
        ("outputs/sweeps/mine/t0000-a", "mine"),
        ("outputs/retrain/mine/t0000-a", "mine (retrained)"),
    ],
)
def test_runs_belong_together_by_their_sweep_their_retraining_or_their_name(folder: str, name: str, tiny: list[str]):
    assert collection_of(Path(folder), load_config(tiny)) == name


def test_a_path_that_mlflow_would_read_as_something_else_is_refused(tiny: list[str], tmp_path: Path):
    with pytest.raises(UserError, match="MLFLOW_TRACKING_URI"):
        mlflow_file(load_config([*tiny, f"output_root={tmp_path}/50%"]))


def test_a_package_that_is_not_installed_is_named_with_the_command_that_installs_it(
    tiny: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(listeners, "find_spec", lambda name: None)  # pyright: ignore[reportUnknownLambdaType]
    refuse_missing(load_config(tiny))
    with pytest.raises(UserError, match="pip install mlflow-skinny"):
        refuse_missing(load_config([*tiny, "listeners=[mlflow]"]))
    words = [*tiny, "listeners=[wandb]"]
    with pytest.raises(UserError, match="pip install wandb"):
        train(load_config(words), words)


def test_every_key_of_the_configuration_is_passed_on_as_a_plain_value(tiny: list[str]):
    found = flat(load_config(tiny))
    assert found["data.image_size"] == "[32, 32]"
    assert found["model.encoder.name"]
    assert all(isinstance(value, str | int | float) for value in found.values())


def test_a_sweep_with_listeners_is_the_same_sweep(tiny_here: list[str]):
    spec = load_spec("quickstart")
    small = [word for word in tiny_here if not word.startswith(("threads=", "training.epochs="))]
    plans = [make_plan("mine", replace(spec, fixed=(*small, *more)), 0) for more in ((), ("listeners=[mlflow]",))]
    assert surroundings(plans[0]) == surroundings(plans[1])
