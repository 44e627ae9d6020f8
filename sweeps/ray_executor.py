"""A study's trials on Ray: it gives them processes and shares of one machine, and decides nothing.

Everything that knows Ray's search interface is here.
"""

import logging
import math
import os
import re
import signal
import subprocess
import sys
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
from ray.tune.experiment import Experiment, Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search.search_algorithm import SearchAlgorithm
from ray.tune.stopper import Stopper

from sweeps.asha import Decision
from sweeps.study import CARD_LOST, DISK_FULL, HOURS_OVER, Study
from trainable.resources import Resources
from trainable.trial import CrackTrial, TrialPlan

OBJECT_STORE_BYTES = 100 * 2**20  # trials share images through mapped files, not through Ray
HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# trials have our environment anyway; Ray would write these keys into a log that everybody on the machine may read
ENV_VARS_TO_PROPAGATE.difference_update([name for name in ENV_VARS_TO_PROPAGATE if name.startswith("AWS_")])

FINAL = re.compile(r"^[\w.]*\b(Diverged|OutOfCardMemory|UserError)\b")
"""Failures that would only come again: of the configuration, not of the machine."""

NO_CARD = re.compile(r"^[\w.]*\bCardLost: ")

NO_SPACE = re.compile(r"\[Errno (28|122)\]|No space left|[Dd]isk quota exceeded|StreamWriter failed writing")


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


class Unkept:
    """Ray pickles all that it is given, for a restore that nobody asks for; a ledger or a terminal cannot be."""

    def __reduce__(self) -> tuple[type[object], tuple[()]]:
        return object, ()


class Jobs(Unkept, SearchAlgorithm):
    """Gives Ray its trials, no sooner than there is room for one: a proposal made early knows less.

    To Ray a trial that goes on is another trial: its identity is our trial's name and how often it has begun here. So
    pauses, retries and continued sweeps are one thing, and what Ray keeps of its own is of no account.
    """

    def __init__(self, study: Study, trials_at_once: int) -> None:
        self.study, self.trials_at_once = study, trials_at_once
        self.live: dict[str, str] = {}
        """Ray's trial identities, to the names of our trials."""
        self.begun: Counter[str] = Counter()

    def add_configurations(self, experiments: Any) -> None:
        """Ray tells what its trials have in common."""
        experiment: Experiment = experiments[0]
        self.spec: Any = experiment.spec

    def next_trial(self) -> Trial | None:
        if len(self.live) >= self.trials_at_once or (row := self.study.next_job()) is None:
            return None
        self.begun[row.name] += 1
        identity = f"{row.name}-{self.begun[row.name]}"
        self.live[identity] = row.name
        return Trial(
            self.spec["run"],
            config={"trial": row.name, "params": row.params, "known": row.epochs},
            trial_id=identity,
            storage=self.spec["storage"],
            placement_group_factory=self.spec["resources_per_trial"],
            trial_name_creator=str_of_identity,
            trial_dirname_creator=str_of_identity,
        )

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        self.live.pop(trial_id, None)

    def is_finished(self) -> bool:
        return self._finished or (not self.live and self.study.finished)


class Rules(Unkept, FIFOScheduler):
    """Asks the study what a trial that has reported is to do, and tells it of those that failed.

    To Ray a pause is a stop: the process is free for another trial, and the checkpoint stays in our folder.
    """

    def __init__(self, study: Study) -> None:
        super().__init__()
        self.study = study

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        decision = self.study.report(name_of(trial), int(result["epoch"]), result, bool(result["finished"]))
        return TrialScheduler.CONTINUE if decision is Decision.CONTINUE else TrialScheduler.STOP

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        reason = reason_of(trial)
        if NO_SPACE.search(reason):  # the next trials would all fail of it
            self.study.stopping = DISK_FULL
            self.study.postpone(name_of(trial))
            return
        if NO_CARD.match(reason):  # so would they of this
            self.study.stopping = f"{CARD_LOST}: {NO_CARD.sub('', reason).removesuffix('.')}"
            self.study.postpone(name_of(trial))
            return
        self.study.fail(name_of(trial), reason, retry=not FINAL.search(reason))


class Signals:
    """SIGINT, SIGTERM and SIGHUP (a closed terminal) as a flag; the second one raises ``KeyboardInterrupt``.

    One that is ignored when we begin stays so: ``nohup`` says it of a closed terminal, and a script of the Ctrl-C that
    is not meant for what it runs in the background.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.terminals = [stream.fileno() for stream in (sys.stdout, sys.stderr) if stream and stream.isatty()]

    def __enter__(self) -> "Signals":
        self.before = {number: signal.getsignal(number) for number in HANDLED}
        self.listen()
        return self

    def listen(self) -> None:
        """Be who is told; to be called again after Ray's start, which takes SIGTERM for itself."""
        for number in HANDLED:
            ignored = self.before[number] is signal.SIG_IGN
            signal.signal(number, signal.SIG_IGN if ignored else self._take)

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _take(self, number: int, frame: object) -> None:
        if number == signal.SIGHUP:  # there is nobody to print to, and trying would be an error
            for terminal in self.terminals:
                os.dup2(os.open(os.devnull, os.O_WRONLY), terminal)
        elif self.received is not None:
            raise KeyboardInterrupt
        self.received = self.received or number


class Halt(Unkept, Stopper):
    """Ends a session: at once when a signal has come, after the running epochs when its hours are over."""

    def __init__(self, study: Study, signals: Signals, hours: float | None) -> None:
        self.study, self.signals = study, signals
        self.deadline = math.inf if hours is None else time.monotonic() + hours * 3600

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        if time.monotonic() > self.deadline:
            self.study.stopping = HOURS_OVER
        return self.signals.received is not None


def build_tuner(
    study: Study,
    resources: Resources,
    trial_plan: TrialPlan,
    halt: Halt,
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
            search_alg=Jobs(study, resources.trials_at_once), scheduler=Rules(study), reuse_actors=reuse_actors
        ),
        run_config=RunConfig(
            name=f"session{sessions}", storage_path=str(storage), verbose=0, callbacks=list(callbacks), stop=halt
        ),
    )


def str_of_identity(trial: Trial) -> str:
    return str(trial.trial_id)


def name_of(trial: Trial) -> str:
    """The name of our trial that Ray's trial is a part of."""
    return str(trial.config["trial"])


ERROR_LINE = re.compile(r"[\w.]*(Error|Exception|Interrupt|Diverged|OutOf\w*Memory|CardWasFull|CardLost|Timeout)\b")
"""How the line of a traceback begins that names the exception; what follows it is advice, as CUDA's four lines."""


def reason_of(trial: Trial) -> str:
    """The error's own line in the trial's text: exception and message, without the traceback."""
    path = Path(trial.error_file) if trial.error_file else None  # Ray's own text, in its staging folder
    text = path.read_text() if path is not None and path.is_file() else ""
    lines = [line.strip() for line in reversed(text.splitlines()) if line.strip()]
    named = (line for line in lines if ERROR_LINE.match(line))
    return next(named, lines[0] if lines else "the process died")
