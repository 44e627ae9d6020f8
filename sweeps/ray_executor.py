"""Runs checks and a study's trials with Ray Tune, in processes that share a machine. Decisions are the study's."""

import math
import os
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Protocol, Self

from sweeps.local_ray import LocalRay, environment

os.environ.update(environment())
from ray import tune
from ray.tune.execution.class_cache import DEFAULT_ENV_VARS, ENV_VARS_TO_PROPAGATE
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Experiment
from ray.tune.experiment import Trial as RayTrial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search.search_algorithm import SearchAlgorithm

from src.config.overrides import Overrides
from src.errors import UserError
from sweeps.interrupts import Signals
from sweeps.places import Place, places
from sweeps.search.scheduler import Decision
from sweeps.search.study import SessionEnd, Study
from sweeps.search.trial import Trial
from trainable.failures import Failure, FailureKind, read_failure
from trainable.plan import TrialPlan
from trainable.ray_trial import CrackTrial
from trainable.resources import Resources

METRICS = "metrics/"
# Trials inherit our environment. With variables of their own they could not use the processes that wait for them
# (``LocalRay``), and Ray would write the values, AWS keys among them, to a log that every user of the machine can read.
DEFAULT_ENV_VARS.clear()
ENV_VARS_TO_PROPAGATE.clear()


class Observer(Protocol):
    """What is told of trials while they run."""

    def reported(self, trial: Trial) -> None:
        """The study has taken in an epoch of the trial."""
        ...

    def left(self, trial: Trial) -> None:
        """The trial has left its place: it has paused, ended or failed."""
        ...


class Executor:
    """The places of a session, each with a process. Within its block they check networks, and then run trials.

    With ``reuse_actors`` a trial's process takes the next trial, which saves seconds of imports.
    """

    def __init__(self, plan: TrialPlan, resources: Resources, ray: LocalRay, reuse_actors: bool = True) -> None:
        self.plan, self.resources, self.ray, self.reuse_actors = plan, resources, ray, reuse_actors
        self.folder = TemporaryDirectory(prefix="crack-sweeps-", ignore_cleanup_errors=True)
        self.source, self.scheduler = TrialSource(places(resources)), StudyScheduler()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.ray.stop()
        self.folder.cleanup()

    @cached_property
    def controller(self) -> "Controller":
        self.ray.wait()
        trainable = tune.with_parameters(CrackTrial, plan=self.plan)
        experiment = Experiment("session", trainable, storage_path=self.folder.name)
        return Controller(self.source, self.scheduler, experiment, self.reuse_actors)

    def check(self, corners: Sequence[Sequence[Overrides]]) -> None:
        """Run the smoke test on groups of corners, each group in one process.

        If one cannot be trained, a ``UserError`` names its overrides.
        """
        on_card = bool(self.resources.cards)
        self.source.checks += [{"corners": [list(one) for one in group], "on_card": on_card} for group in corners]
        while len(self.scheduler.answers) < len(corners):
            self.controller.step()
        refused = next((answer for answer in self.scheduler.answers if answer), "")
        if refused:
            raise UserError(refused)

    def run(self, study: Study, signals: Signals, hours: float | None, observers: Iterable[Observer]) -> None:
        """Run the study's trials until it is at rest, or a signal comes. After ``hours`` they end their epochs."""
        deadline = math.inf if hours is None else time.monotonic() + hours * 3600
        self.source.study = self.scheduler.study = study
        self.scheduler.observers = list(observers)
        while not self.controller.is_finished() and signals.received is None:
            if time.monotonic() > deadline and study.ended is None:
                study.end_session(SessionEnd.HOURS)
            self.controller.step()
        self.source.set_finished()
        self.controller.cleanup()


class Controller(TuneController):
    """Ray Tune's loop over the processes of the places."""

    def __init__(
        self, source: "TrialSource", scheduler: "StudyScheduler", experiment: Experiment, reuse_actors: bool
    ) -> None:
        super().__init__(search_alg=source, scheduler=scheduler, storage=experiment.storage, reuse_actors=reuse_actors)
        source.experiment = experiment
        self._max_pending_trials = len(source.free)  # all processes start together
        for place in source.free:
            self._actor_cache.increase_max(place)  # a process waits for the next trial of its place

    def checkpoint(self, force: bool = False, wait: bool = False) -> None:
        """Write nothing: Ray's own state of a session is never read."""


class TrialSource(SearchAlgorithm):
    """Gives Ray what its processes do: checks first, then a study's trials.

    A trial is given only when a process is free, so that each proposal uses the latest results. To Ray a resumed trial
    is a new trial, whose id is our trial's name plus a counter. So pauses, retries and resumed sweeps work in the same
    way, and Ray's own records are not needed.
    """

    experiment: Experiment

    def __init__(self, places: Iterable[Place]) -> None:
        self.free = deque(places)
        """Places that no trial uses; those whose process is known to be ready come first."""
        self.live: dict[str, Place] = {}
        """The places in use, by Ray's trial id."""
        self.checks: list[dict[str, Any]] = []
        """The checks to come."""
        self.study: Study | None = None
        self.begun: Counter[str] = Counter()

    def next_trial(self) -> RayTrial | None:
        if not self.free:
            return None
        if self.checks:
            return self._ray_trial("check", self.checks.pop(0))
        trial = self.study.next_trial() if self.study else None
        if trial is None:
            return None
        job = {"trial": trial.name, "params": trial.params, "attempt": trial.attempts, "reported_epochs": trial.epochs}
        return self._ray_trial(trial.name, job)

    def _ray_trial(self, name: str, job: dict[str, Any]) -> RayTrial:
        self.begun[name] += 1
        ray_id = f"{name}-{self.begun[name]}"
        self.live[ray_id] = place = self.free.popleft()
        return RayTrial(
            str(self.experiment.run_identifier),
            config=job,
            trial_id=ray_id,
            storage=self.experiment.storage,
            placement_group_factory=place,
            trial_name_creator=id_of,
            trial_dirname_creator=id_of,
        )

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        place = self.live.pop(trial_id, None)
        if place is not None:
            (self.free.append if error else self.free.appendleft)(place)  # a process ends with its trial's failure

    def is_finished(self) -> bool:
        at_rest = self.study is not None and self.study.at_rest
        return self._finished or (not self.live and at_rest)


class StudyScheduler(FIFOScheduler):
    """Passes reports and failures to the study, and its decisions to Ray.

    For Ray a pause is a stop: the process is free for another trial, and the checkpoint stays in the trial's folder.
    """

    study: Study
    observers: Sequence[Observer] = ()

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[str] = []
        """What each check has refused, or an empty text."""

    def on_trial_result(self, tune_controller: Any, trial: RayTrial, result: dict[str, Any]) -> str:
        if is_check(trial):
            self.answers.append(result["refused"])
            return TrialScheduler.STOP
        name, finished = name_of(trial), bool(result["finished"])
        decision = self.study.report(name, int(result["epoch"]), metrics_of(result), finished)
        for observer in self.observers:
            observer.reported(self.study.trials[name])
        return TrialScheduler.CONTINUE if decision is Decision.CONTINUE else TrialScheduler.STOP

    def on_trial_complete(self, tune_controller: Any, trial: RayTrial, result: dict[str, Any]) -> None:
        if not is_check(trial):
            self._left(name_of(trial))

    def on_trial_error(self, tune_controller: Any, trial: RayTrial) -> None:
        failure = failure_of(trial)
        if is_check(trial):
            self.answers.append(f"The process that tried out the networks has failed: {failure.message}")
            return
        name = name_of(trial)
        if failure.kind is FailureKind.DISK_FULL:
            self.study.end_session(SessionEnd.DISK_FULL, failure.message.partition(": ")[2])
            self.study.requeue(name)
        elif failure.kind is FailureKind.CARD_LOST:
            self.study.end_session(SessionEnd.CARD_LOST, failure.message.partition(": ")[2].removesuffix("."))
            self.study.requeue(name)
        else:
            self.study.fail(name, failure.message, retry=failure.kind is FailureKind.MACHINE)
        self._left(name)

    def _left(self, name: str) -> None:
        for observer in self.observers:
            observer.left(self.study.trials[name])


def id_of(trial: RayTrial) -> str:
    return str(trial.trial_id)


def is_check(trial: RayTrial) -> bool:
    return "corners" in trial.config


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
