"""Ray adapter: runs a study's trials as processes with shares of one machine. Every decision is the study's."""

import logging
import math
import os
import subprocess
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import partialmethod
from pathlib import Path
from typing import Any

# read when ray is imported: no usage report, no noise about checkpoints, Ctrl-C is ours, trials stay in our folder
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S", "0")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # the trial writes its own events and JSON lines
os.environ.setdefault("TUNE_PRINT_ALL_TRIAL_ERRORS", "0")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")  # data.root and output_root are relative to where the user is
os.environ.setdefault("RAY_worker_niceness", "0")  # at Ray's own 15 any other work on the machine starves the trials
os.environ.setdefault("RAY_memory_monitor_refresh_ms", "0")  # it ends the whole sweep when it kills one trial

import ray
from ray import tune
from ray.tune import RunConfig, TuneConfig, Tuner
from ray.tune.execution.class_cache import ENV_VARS_TO_PROPAGATE
from ray.tune.experiment import Experiment
from ray.tune.experiment import Trial as RayTrial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search.search_algorithm import SearchAlgorithm
from ray.tune.stopper import Stopper

from sweeps.interrupts import Signals
from sweeps.search.scheduler import Decision
from sweeps.search.study import SessionEnd, Study
from trainable.failures import Failure, FailureKind, read_failure
from trainable.resources import Resources
from trainable.trial import CrackTrial, TrialPlan

OBJECT_STORE_BYTES = 100 * 2**20  # trials share images through mapped files, not through Ray
# trials have our environment anyway; Ray would write these keys into a log that everybody on the machine may read
ENV_VARS_TO_PROPAGATE.difference_update([name for name in ENV_VARS_TO_PROPAGATE if name.startswith("AWS_")])


@contextmanager
def local_ray(resources: Resources) -> Generator[None]:
    """A Ray of our own on this machine, without dashboard; its login token is readable by this user only."""
    token = Path.home() / ".ray" / "auth_token"
    token.parent.mkdir(mode=0o700, exist_ok=True)
    token.parent.chmod(0o700)  # before Ray writes the token there; a umask would be inherited by the trials' files
    with own_process_groups():
        ray.init(
            address="local",
            num_cpus=resources.cores_per_trial * resources.trials_at_once,
            num_gpus=len(resources.cards),
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=OBJECT_STORE_BYTES,
        )
    try:
        if token.is_file():  # the user may have named another place for it
            token.chmod(0o600)
        yield
    finally:
        ray.shutdown()


@contextmanager
def own_process_groups() -> Generator[None]:
    """Processes that are started within never see what a terminal or a batch system sends to our process group.

    Ray's own would die of a SIGTERM or SIGHUP that is meant for us, and take the running epochs with them. The kernel
    ends them with us all the same.
    """
    start: Any = subprocess.Popen.__init__
    subprocess.Popen.__init__ = partialmethod(start, process_group=0)  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        subprocess.Popen.__init__ = start


class NotPickled:
    """Ray pickles every callback so that it could restore them. We do not use that, and a ledger cannot be pickled."""

    def __reduce__(self) -> tuple[type[object], tuple[()]]:
        return object, ()


class TrialSource(NotPickled, SearchAlgorithm):
    """Gives Ray a trial only when a process is free, so that each proposal uses the latest results.

    A resumed trial is a new trial to Ray, whose id is our trial's name and a counter. So pauses, retries and continued
    sweeps are one thing, and nothing of Ray's own records is used.
    """

    def __init__(self, study: Study, trials_at_once: int) -> None:
        self.study, self.trials_at_once = study, trials_at_once
        self.live: dict[str, str] = {}
        """Ray's trial ids, to the names of our trials."""
        self.begun: Counter[str] = Counter()

    def add_configurations(self, experiments: Any) -> None:
        """Keep what Ray's trials have in common."""
        experiment: Experiment = experiments[0]
        self.spec: Any = experiment.spec

    def next_trial(self) -> RayTrial | None:
        if len(self.live) >= self.trials_at_once or (trial := self.study.next_trial()) is None:
            return None
        self.begun[trial.name] += 1
        ray_id = f"{trial.name}-{self.begun[trial.name]}"
        self.live[ray_id] = trial.name
        return RayTrial(
            self.spec["run"],
            config={"trial": trial.name, "params": trial.params, "reported_epochs": trial.epochs},
            trial_id=ray_id,
            storage=self.spec["storage"],
            placement_group_factory=self.spec["resources_per_trial"],
            trial_name_creator=id_of,
            trial_dirname_creator=id_of,
        )

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        self.live.pop(trial_id, None)

    def is_finished(self) -> bool:
        return self._finished or (not self.live and self.study.at_rest)


class StudyScheduler(NotPickled, FIFOScheduler):
    """Asks the study what a trial that has reported does next, and tells it which trials failed.

    To Ray a pause is a stop: the process is free for another trial, and the checkpoint stays in the trial's folder.
    """

    def __init__(self, study: Study) -> None:
        super().__init__()
        self.study = study

    def on_trial_result(self, tune_controller: Any, trial: RayTrial, result: dict[str, Any]) -> str:
        name, finished = name_of(trial), bool(result["finished"])
        decision = self.study.report(name, int(result["epoch"]), result["metrics"], finished)
        return TrialScheduler.CONTINUE if decision is Decision.CONTINUE else TrialScheduler.STOP

    def on_trial_error(self, tune_controller: Any, trial: RayTrial) -> None:
        failure, name = failure_of(trial), name_of(trial)
        if failure.kind is FailureKind.DISK_FULL:
            self.study.end_session(SessionEnd.DISK_FULL)
            self.study.requeue(name)
        elif failure.kind is FailureKind.CARD_LOST:
            self.study.end_session(SessionEnd.CARD_LOST, failure.message.partition(": ")[2].removesuffix("."))
            self.study.requeue(name)
        else:
            self.study.fail(name, failure.message, retry=failure.kind is FailureKind.MACHINE)


class SessionStopper(NotPickled, Stopper):
    """Ends a session: at once when a signal has come, after the running epochs when its hours are over."""

    def __init__(self, study: Study, signals: Signals, hours: float | None) -> None:
        self.study, self.signals = study, signals
        self.deadline = math.inf if hours is None else time.monotonic() + hours * 3600

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        if time.monotonic() > self.deadline and self.study.ended is None:
            self.study.end_session(SessionEnd.HOURS)
        return self.signals.received is not None


def build_tuner(
    study: Study,
    resources: Resources,
    trial_plan: TrialPlan,
    stopper: SessionStopper,
    callbacks: Sequence[tune.Callback],
    reuse_actors: bool = True,
) -> Tuner:
    """Ray's Tune as the executor of a study's trials.

    ``reuse_actors``: a trial's process takes the next trial, which saves its seconds of imports. Ray's own files of a
    session are in ``ray/`` in the sweep's folder, and nothing reads them.

    All places start their processes together. By itself Tune starts one at a time, and gives it up when a running trial
    ends sooner than it is ready, so with short rungs one process would do all the work.
    """
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(resources.trials_at_once)  # read by fit()
    storage = trial_plan.sweep_dir / "ray"
    sessions = len(list(storage.glob("session*")))
    return Tuner(
        tune.with_resources(tune.with_parameters(CrackTrial, plan=trial_plan), resources.as_ray()),
        tune_config=TuneConfig(
            search_alg=TrialSource(study, resources.trials_at_once),
            scheduler=StudyScheduler(study),
            reuse_actors=reuse_actors,
        ),
        run_config=RunConfig(
            name=f"session{sessions}", storage_path=str(storage), verbose=0, callbacks=list(callbacks), stop=stopper
        ),
    )


def id_of(trial: RayTrial) -> str:
    return str(trial.trial_id)


def name_of(trial: RayTrial) -> str:
    """The name of our trial that Ray's trial is a part of."""
    return str(trial.config["trial"])


def failure_of(trial: RayTrial) -> Failure:
    """Why a trial failed, by the text that Ray has kept of it."""
    path = Path(trial.error_file) if trial.error_file else None  # in Ray's staging folder
    return read_failure(path.read_text() if path is not None and path.is_file() else "")
