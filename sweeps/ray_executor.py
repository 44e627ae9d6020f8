"""Runs checks and a study's trials with Ray Tune, in processes that share a machine. Decisions are the study's."""

import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from sweeps.local_ray import environment

os.environ.update(environment())
from ray import tune
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.tune.execution.class_cache import DEFAULT_ENV_VARS, ENV_VARS_TO_PROPAGATE
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Experiment
from ray.tune.experiment import Trial as RayTrial

from src.config.overrides import Overrides
from src.errors import UserError
from sweeps.interrupts import Signals
from sweeps.observer import Observer
from sweeps.places import Changes, Machines, Place
from sweeps.ray_trials import NodeLost, ProcessEnded, StudyScheduler, TrialSource
from sweeps.search.study import SessionEnd, Study
from trainable.plan import TrialPlan
from trainable.ray_trial import CrackTrial
from trainable.resources import Node, Resources

IDLE_SECONDS = 0.1
LATE_SECONDS = 60.0
"""After which a place without a process is named."""
# Trials inherit our environment. With variables of their own they could not use the processes that wait for them
# (``LocalRay``), and Ray would write the values, AWS keys among them, to a log that every user of the machine can read.
DEFAULT_ENV_VARS.clear()
ENV_VARS_TO_PROPAGATE.clear()


class Executor:
    """The places of a session, each with a process. Within its block they check networks, and then run trials.

    With ``reuse_actors`` a trial's process takes the next trial, which saves seconds of imports.
    """

    def __init__(self, plan: TrialPlan, resources: Resources, ray: Machines, reuse_actors: bool = True) -> None:
        self.plan, self.resources, self.ray, self.reuse_actors = plan, resources, ray, reuse_actors
        self.folder = TemporaryDirectory(prefix="crack-sweeps-", ignore_cleanup_errors=True)
        self.source = TrialSource(ray.places())
        self.scheduler = StudyScheduler(self.source, ray)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.ray.stop(keep=self)
        self.folder.cleanup()

    @cached_property
    def controller(self) -> "Controller":
        self.ray.wait()
        trainable = tune.with_parameters(CrackTrial, plan=self.plan)
        experiment = Experiment("session", trainable, storage_path=self.folder.name)
        return Controller(self.source, self.scheduler, experiment, self.reuse_actors)

    def check(self, corners: Sequence[Sequence[Overrides]], default: Overrides | None = None) -> None:
        """Run the smoke test on groups of corners, each group in one process.

        If one cannot be trained, or the ``default`` breaks a limit, a ``UserError`` names it.
        """
        on_card = bool(self.resources.cards)
        checks: list[dict[str, Any]] = [
            {"corners": [list(one) for one in group], "on_card": on_card} for group in corners
        ]
        if default and self.plan.limits:
            checks.append({"corners": [], "on_card": on_card, "default": list(default)})
        self.source.checks += checks
        while len(self.scheduler.answers) < len(checks):
            self._step()
        refused = next((answer for answer in self.scheduler.answers if answer), "")
        if refused:
            raise UserError(refused)

    def run(
        self,
        study: Study,
        signals: Signals,
        hours: float | None,
        observers: Iterable[Observer],
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        """Run the study's trials until it is at rest, or a signal comes. After ``hours`` they end their epochs.

        ``meanwhile`` is called in a thread once every place has a trial; the next proposal waits for it.
        """
        deadline = math.inf if hours is None else time.monotonic() + hours * 3600
        self.source.study = self.scheduler.study = study
        self.scheduler.observers = list(observers)
        while not self.controller.is_finished() and signals.received is None:
            if time.monotonic() > deadline and study.ended is None:
                study.end_session(SessionEnd.HOURS)
            self._step()
            if self.source.other_work is None and not self.source.free:
                self.source.begin(meanwhile)
        self.source.finish_other_work()
        self.source.set_finished()
        self.controller.cleanup()

    def _step(self) -> None:
        """Follow the nodes, and let Ray handle an event; without any place there is none."""
        self._follow(self.ray.changes())
        for node in self.controller.late_nodes():
            self._say(
                f"{node}: a trial has no process after {LATE_SECONDS:.0f} s. Do other programs use that node's Ray?"
            )
        if self.source.count and not self.controller.is_finished():
            self.controller.step()
        else:
            time.sleep(IDLE_SECONDS)

    def _say(self, line: str) -> None:
        for observer in self.scheduler.observers:
            observer.said(line)
        if not self.scheduler.observers:  # during the checks
            print(line, flush=True)

    def _follow(self, changes: Changes) -> None:
        """Use new places, and give up those that are gone, with their trials."""
        if not (changes.new or changes.gone or changes.said):
            return
        self.controller.lose(changes.gone)
        self.controller.add(changes.new)
        why, study = "; ".join(changes.said), self.source.study
        if study is not None:
            study.change_places(self.source.count, why)
        for observer in self.scheduler.observers:
            observer.places_changed(self.source.count, why)


class Controller(TuneController):
    """Ray Tune's loop over the processes of the places."""

    def __init__(
        self, source: TrialSource, scheduler: StudyScheduler, experiment: Experiment, reuse_actors: bool
    ) -> None:
        super().__init__(search_alg=source, scheduler=scheduler, storage=experiment.storage, reuse_actors=reuse_actors)
        source.experiment = experiment
        self.source, self.scheduler = source, scheduler
        self.places = set[Place]()
        first, source.free = [*source.free], deque[Place]()
        self.add(first)
        take_failures_of_ray(self._actor_manager)

    def add(self, places: Sequence[Place]) -> None:
        """Use these places too."""
        self.source.add(places)
        self.places.update(places)
        self._max_pending_trials = self.source.count  # all processes start together
        for place in places:
            self._actor_cache.increase_max(place)  # a process waits for the next trial of its place

    def lose(self, nodes: set[str]) -> None:
        """Give up the places on these nodes; their trials have lost their processes, and Ray's shares are returned."""
        gone = {place for place in self.places if place.node is not None and place.node.id in nodes}
        self.places -= gone
        for place in gone:
            self._actor_cache.decrease_max(place)
        for ray_id, place in self.source.give_up(nodes):
            trial = self.get_trial(ray_id)
            assert trial is not None
            error = NodeLost(f"{place.node} is lost")
            if trial.status == RayTrial.PENDING:  # as Ray does it where a process fails to start
                self._set_trial_status(trial, RayTrial.RUNNING)
                self._unstage_trial_with_resources(trial)
            self._process_trial_failure(trial, error)

    def late_nodes(self) -> list[Node]:
        """Nodes of a cluster on which a trial waits for its process for too long; each trial counts once."""
        now, late = time.monotonic(), list[Node]()
        for ray_id, since in [*self.source.since.items()]:
            if now < since + LATE_SECONDS:
                continue
            del self.source.since[ray_id]
            node, trial = self.source.live[ray_id].node, self.get_trial(ray_id)
            if node is not None and trial is not None and trial.status == RayTrial.PENDING:
                late.append(node)
        return late

    def _process_trial_failure(self, trial: RayTrial, exception: Any) -> None:
        self.scheduler.errors[str(trial.trial_id)] = exception  # Ray keeps only its text
        super()._process_trial_failure(trial, exception)

    def _maybe_update_trial_queue(self) -> None:
        """Ask for the next trial, after all reports that are there: during a proposal no other trial could go on."""
        for _ in range(self.source.count):
            if not self._actor_manager.next(timeout=0):
                break
        super()._maybe_update_trial_queue()

    def _update_trial_queue(self, blocking: bool = False, timeout: int = 0) -> bool:
        """Never wait for a trial here: nodes that join, signals and the session's end would not be noticed."""
        return super()._update_trial_queue(blocking=False)

    def checkpoint(self, force: bool = False, wait: bool = False) -> None:
        """Write nothing: Ray's own state of a session is never read."""


def take_failures_of_ray(manager: Any) -> None:
    """Let Ray's manager of processes take every error of Ray as the end of the process.

    Of errors that are neither of the trial nor of the connection, such as that of Ray's memory monitor, it would make
    an exception that ends the whole sweep.
    """
    take = manager._actor_task_failed

    def take_any(tracked_actor_task: Any, exception: Exception) -> None:
        if isinstance(exception, RayError) and not isinstance(exception, RayActorError | RayTaskError):
            exception = ProcessEnded(exception)
        take(tracked_actor_task=tracked_actor_task, exception=exception)

    manager._actor_task_failed = take_any
