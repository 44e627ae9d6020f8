"""Passes a run's record on to the programs in which people compare runs: the ``listeners`` of the configuration.

The run's folder stays the record. A listener that fails is told of once, and the training goes on without it.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock

from src.atomic import replace_text
from src.config.schema import Config
from src.errors import UserError

PACKAGES = {"mlflow": ("mlflow", "mlflow-skinny"), "wandb": ("wandb", "wandb")}
"""The module and the package of each listener."""
MLFLOW_FILE = "mlflow.db"
MLFLOW_URI = "MLFLOW_TRACKING_URI"
MOST_PARAMS = 100
"""In one request to MLflow."""
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
"""Of MLflow with a server that does not answer, unless the user's environment says otherwise."""
LOCK_SECONDS = 60.0
IDS = "listeners.json"
"""In a run's folder: the ids of the run elsewhere, so that a run that goes on goes on there too."""

log = logging.getLogger(__name__)


class Listener(Protocol):
    """Is told of a run. It is made when the run begins or goes on."""

    def epoch(self, number: int, metrics: Mapping[str, float]) -> None:
        """An epoch was trained and scored; ``metrics`` as in TensorBoard."""
        ...

    def end(self) -> None:
        """The training has ended, or is interrupted and may go on."""
        ...


class MlflowListener:
    """A run in MLflow: in ``{output_root}/mlflow.db``, or wherever ``MLFLOW_TRACKING_URI`` points."""

    def __init__(self, folder: Path, config: Config) -> None:
        for name, value in PATIENCE.items():  # MLflow would try for four minutes
            os.environ.setdefault(name, value)
        from mlflow.tracking import MlflowClient

        logging.getLogger("mlflow").setLevel(logging.WARNING)
        server = os.environ.get(MLFLOW_URI)
        # several trials may begin at once, and the first one makes the tables of a file
        with nullcontext() if server else FileLock(f"{mlflow_file(config)}.lock", timeout=LOCK_SECONDS):
            self.client = MlflowClient(server or f"sqlite:///{mlflow_file(config)}")
            self.run_id = known_id(folder, "mlflow") or self._new_run(folder, config)
            self.client.update_run(self.run_id, status="RUNNING")
        keep_id(folder, "mlflow", self.run_id)

    def _new_run(self, folder: Path, config: Config) -> str:
        name = collection_of(folder, config)
        experiment = self.client.get_experiment_by_name(name)
        number = experiment.experiment_id if experiment else self.client.create_experiment(name)
        run = str(self.client.create_run(number, run_name=folder.name, tags={"folder": str(folder)}).info.run_id)
        from mlflow.entities import Param

        params = [Param(key, str(value)) for key, value in flat(config).items()]
        for first in range(0, len(params), MOST_PARAMS):
            self.client.log_batch(run, params=params[first : first + MOST_PARAMS])
        return run

    def epoch(self, number: int, metrics: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = round(time.time() * 1000)
        self.client.log_batch(
            self.run_id, metrics=[Metric(name, value, now, number) for name, value in metrics.items()]
        )

    def end(self) -> None:
        self.client.set_terminated(self.run_id)


class WandbListener:
    """A run of Weights & Biases, offline in ``{output_root}/wandb`` unless ``WANDB_MODE`` says otherwise.

    ``wandb sync`` uploads what was recorded offline.
    """

    def __init__(self, folder: Path, config: Config) -> None:
        import wandb

        config.output_root.mkdir(parents=True, exist_ok=True)
        self.run: Any = wandb.init(
            project=collection_of(folder, config),
            name=folder.name,
            id=known_id(folder, "wandb"),
            dir=config.output_root,
            mode=os.environ.get("WANDB_MODE", "offline"),  # type: ignore[arg-type]
            resume="allow",
            reinit="create_new",
            config=flat(config),
            settings=wandb.Settings(silent=True, console="off"),
        )
        keep_id(folder, "wandb", self.run.id)

    def epoch(self, number: int, metrics: Mapping[str, float]) -> None:
        self.run.log(dict(metrics), step=number)

    def end(self) -> None:
        self.run.finish()


LISTENERS: dict[str, Callable[[Path, Config], Listener]] = {"mlflow": MlflowListener, "wandb": WandbListener}


GIVEN_UP = set[str]()
"""Listeners that have failed in this process: its next runs do not wait for them again."""


class Listeners:
    """The listeners of a run. They are made at its first epoch, so a run without one is nowhere else."""

    def __init__(self, folder: Path, config: Config) -> None:
        self.folder, self.config = folder, config
        self.active: dict[str, Listener] = {}

    def epoch(self, number: int, metrics: Mapping[str, float]) -> None:
        for name in self.config.listeners:
            if name not in GIVEN_UP:
                self._try(name, lambda name=name: self._made(name).epoch(number, metrics))

    def end(self) -> None:
        for name, listener in [*self.active.items()]:
            self._try(name, listener.end)
        self.active.clear()

    def _made(self, name: str) -> Listener:
        if name not in self.active:
            self.active[name] = LISTENERS[name](self.folder, self.config)
        return self.active[name]

    def _try(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # of another program, over which no training should be lost
            GIVEN_UP.add(name)
            if (failed := self.active.pop(name, None)) is not None:
                with suppress(Exception):
                    failed.end()
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            log.warning("listeners=[%s]: %s; nothing more is passed on, and the folders have all of it", name, first)


def refuse_missing(config: Config) -> None:
    """A ``UserError`` for a listener whose package is not installed."""
    for name in config.listeners:
        module, package = PACKAGES[name]
        if find_spec(module) is None:
            raise UserError(f"listeners=[{name}]: the package is not installed: pip install {package}.")


def collection_of(folder: Path, config: Config) -> str:
    """Under which name runs belong together: the sweep of a trial, or the ``experiment_name`` of a single run."""
    kind, name = folder.parts[-3:-1] if len(folder.parts) > 2 else ("", "")
    if name == "experiments":
        return config.experiment_name
    return f"{name} (retrained)" if kind == "retrain" else name


def mlflow_file(config: Config) -> Path:
    """MLflow's file in ``output_root``. A path to which its addresses give another meaning is a ``UserError``."""
    path = (config.output_root / MLFLOW_FILE).absolute()
    if any(sign in str(path) for sign in "?#%"):
        raise UserError(
            f"MLflow cannot keep its file in {path.parent}, as its path has one of ? # %: set {MLFLOW_URI}."
        )
    return path


def flat(config: Config) -> dict[str, str | int | float | bool]:
    """The configuration by dotted keys, with values that any program can keep."""
    found: dict[str, str | int | float | bool] = {}

    def visit(value: object, key: str) -> None:
        if isinstance(value, dict) and value:
            for name, below in value.items():  # type: ignore[reportUnknownVariableType]
                visit(below, f"{key}.{name}" if key else str(name))  # type: ignore[reportUnknownArgumentType]
        else:
            found[key] = value if isinstance(value, str | int | float | bool) else json.dumps(value)

    visit(config.model_dump(mode="json"), "")
    return found


def known_id(folder: Path, name: str) -> str | None:
    """The run's id elsewhere; None if it is new there."""
    path = folder / IDS
    return json.loads(path.read_text()).get(name) if path.is_file() else None


def keep_id(folder: Path, name: str, identity: str) -> None:
    path = folder / IDS
    kept = json.loads(path.read_text()) if path.is_file() else {}
    replace_text(path, json.dumps(kept | {name: identity}))
