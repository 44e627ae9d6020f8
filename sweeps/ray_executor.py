"""Ray adapter: runs a study's trials as processes with shares of one machine. Every decision is the study's."""

import logging
import math
import os
import subprocess
import time
from collections import Counter, deque
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partialmethod
from pathlib import Path
from typing import Any

# read when ray is imported: no usage report, no warnings about checkpoints, no SIGINT handler of Ray's
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S", "0")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
os.environ.setdefault(
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1"
)  # trials write their own TensorBoard events and JSON lines
os.environ.setdefault("TUNE_PRINT_ALL_TRIAL_ERRORS", "0")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")  # data.root and output_root are relative to the user's folder
os.environ.setdefault("RAY_worker_niceness", "0")  # with Ray's default of 15, any other load starves the trials
os.environ.setdefault("RAY_memory_monitor_refresh_ms", "0")  # Ray's monitor kills a trial, which ends the whole sweep

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

METRICS = "metrics/"
OBJECT_STORE_BYTES = 100 * 2**20  # trials share images through mapped files, not through Ray
# trials inherit our environment anyway; Ray would write these keys to a log that every user of the machine can read
ENV_VARS_TO_PROPAGATE.difference_update([name for name in ENV_VARS_TO_PROPAGATE if name.startswith("AWS_")])


@contextmanager
def local_ray(resources: Resources) -> Generator[None]:
    """Start a local Ray without dashboard for the block. Its login token is readable only by this user."""
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
        if token.is_file():  # the user may have configured another path for it
            token.chmod(0o600)
        yield
    finally:
        ray.shutdown()


@contextmanager
def own_process_groups() -> Generator[None]:
    """Start all processes within the block in their own process groups, so that they do not get our signals.

    Otherwise a SIGTERM or SIGHUP from a terminal or batch system would also kill Ray's processes, and with them the
    running epochs. The kernel still ends them when our process ends.
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

    To Ray a resumed trial is a new trial, whose id is our trial's name plus a counter. So pauses, retries and resumed
    sweeps work in the same way, and Ray's own records are not needed.
    """

    def __init__(self, study: Study, resources: Resources) -> None:
        self.study = study
        self.free = deque(places(resources))
        """Places that no trial uses; those whose process is known to be ready come first."""
        self.live: dict[str, tune.PlacementGroupFactory] = {}
        """The places in use, by Ray's trial id."""
        self.begun: Counter[str] = Counter()

    def add_configurations(self, experiments: Any) -> None:
        """Keep the settings that all of Ray's trials share."""
        experiment: Experiment = experiments[0]
        self.spec: Any = experiment.spec

    def next_trial(self) -> RayTrial | None:
        if not self.free or (trial := self.study.next_trial()) is None:
            return None
        self.begun[trial.name] += 1
        ray_id = f"{trial.name}-{self.begun[trial.name]}"
        self.live[ray_id] = place = self.free.popleft()
        return RayTrial(
            self.spec["run"],
            config={"trial": trial.name, "params": trial.params, "reported_epochs": trial.epochs},
            trial_id=ray_id,
            storage=self.spec["storage"],
            placement_group_factory=place,
            trial_name_creator=id_of,
            trial_dirname_creator=id_of,
        )

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        place = self.live.pop(trial_id, None)
        if place is not None:
            (self.free.append if error else self.free.appendleft)(place)  # a process ends with its trial's failure

    def is_finished(self) -> bool:
        return self._finished or (not self.live and self.study.at_rest)


class StudyScheduler(NotPickled, FIFOScheduler):
    """Passes reports and failures to the study, and its decisions to Ray.

    For Ray a pause is a stop: the process is free for another trial, and the checkpoint stays in the trial's folder.
    """

    def __init__(self, study: Study) -> None:
        super().__init__()
        self.study = study
        self.kept = set[Any]()
        """The places whose processes Ray has been told to keep."""

    def on_trial_complete(self, tune_controller: Any, trial: RayTrial, result: dict[str, Any]) -> None:
        """Let Ray keep the process of the trial's place until another trial takes it, whatever other places do."""
        place = trial.placement_group_factory
        if place not in self.kept:
            self.kept.add(place)
            tune_controller._actor_cache.increase_max(place)  # Ray has no public setting for it

    def on_trial_result(self, tune_controller: Any, trial: RayTrial, result: dict[str, Any]) -> str:
        name, finished = name_of(trial), bool(result["finished"])
        decision = self.study.report(name, int(result["epoch"]), metrics_of(result), finished)
        return TrialScheduler.CONTINUE if decision is Decision.CONTINUE else TrialScheduler.STOP

    def on_trial_error(self, tune_controller: Any, trial: RayTrial) -> None:
        failure, name = failure_of(trial), name_of(trial)
        if failure.kind is FailureKind.DISK_FULL:
            self.study.end_session(SessionEnd.DISK_FULL, failure.message.partition(": ")[2])
            self.study.requeue(name)
        elif failure.kind is FailureKind.CARD_LOST:
            self.study.end_session(SessionEnd.CARD_LOST, failure.message.partition(": ")[2].removesuffix("."))
            self.study.requeue(name)
        else:
            self.study.fail(name, failure.message, retry=failure.kind is FailureKind.MACHINE)


class SessionStopper(NotPickled, Stopper):
    """Ends a session: at once after a signal, or after the running epochs when its time is over."""

    def __init__(self, study: Study, signals: Signals, hours: float | None) -> None:
        self.study, self.signals = study, signals
        self.deadline = math.inf if hours is None else time.monotonic() + hours * 3600

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        if time.monotonic() > self.deadline and self.study.ended is None:
            self.study.end_session(SessionEnd.HOURS)
        return self.signals.received is not None


def places(resources: Resources) -> list[tune.PlacementGroupFactory]:
    """A request for resources for each trial that runs at once; its name makes it differ from the others.

    Ray Tune gives a free process to any trial that asks for the same resources, even if another process is starting for
    that trial, which is then given up. With short rungs a single process would do all the work. So each place has a
    process of its own, and only trials of this place use it.
    """
    bundle = {"CPU": resources.cores_per_trial, "GPU": resources.gpus_per_trial}
    return [tune.PlacementGroupFactory([bundle], name=f"place {number}") for number in range(resources.trials_at_once)]


def build_tuner(
    study: Study,
    resources: Resources,
    trial_plan: TrialPlan,
    stopper: SessionStopper,
    callbacks: Sequence[tune.Callback],
    reuse_actors: bool = True,
) -> Tuner:
    """Build the Ray Tune tuner that executes a study's trials.

    With ``reuse_actors`` a trial's process takes the next trial, which saves seconds of imports. All processes start
    together; by default Tune starts one at a time. Ray's own files of a session are in ``ray/`` in the sweep's folder;
    nothing reads them.
    """
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(resources.trials_at_once)  # read by fit()
    storage = trial_plan.sweep_dir / "ray"
    sessions = len(list(storage.glob("session*")))
    return Tuner(
        tune.with_parameters(CrackTrial, plan=trial_plan),
        tune_config=TuneConfig(
            search_alg=TrialSource(study, resources),
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
    """The name of our trial that a trial of Ray's runs."""
    return str(trial.config["trial"])


def metrics_of(result: Mapping[str, Any]) -> dict[str, float]:
    """A trial's own metrics, which are nested under one key in its result; Ray flattens results and adds keys."""
    return {key.removeprefix(METRICS): value for key, value in result.items() if key.startswith(METRICS)}


def failure_of(trial: RayTrial) -> Failure:
    """Why a trial failed, from the error text that Ray has kept."""
    path = Path(trial.error_file) if trial.error_file else None  # in Ray's staging folder
    return read_failure(path.read_text() if path is not None and path.is_file() else "")
