"""Answers Ray Tune while it runs trials: which one is next, and what follows from a report or a failure."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Thread
from typing import Any

from ray.exceptions import ActorDiedError, ActorUnavailableError, OutOfMemoryError, RayActorError, RayError
from ray.tune.experiment import Experiment
from ray.tune.experiment import Trial as RayTrial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search.search_algorithm import SearchAlgorithm

from sweeps.observer import Observer
from sweeps.places import Machines, Place
from sweeps.search.scheduler import Decision
from sweeps.search.study import SessionEnd, Study
from sweeps.search.trial import Origin
from trainable.failures import Failure, FailureKind, read_failure

METRICS = "metrics/"


NO_MEMORY = "Ray has ended the process, as its machine had no memory left"
REST_SECONDS = 30.0
"""For which a place stays empty after that."""
MOST_CHECKS_LOST = 5
"""A check whose process is lost so many times has failed."""


class NodeLost(Exception):
    """A node of the cluster is gone."""


class ProcessEnded(RayActorError):
    """Ray has ended a process, or cannot reach it; ``cause`` is Ray's own error."""

    def __init__(self, cause: RayError) -> None:
        super().__init__(error_msg=str(cause))
        self.cause = cause


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
        self.gone = set[str]()
        """Ids of nodes that are gone."""
        self.since: dict[str, float] = {}
        """When the trial in each place in use was given to Ray, by Ray's trial id; none that was named as late."""
        self.resting: list[tuple[float, Place]] = []
        """Places whose machine had no memory left, with the time from which they are used again."""
        self.other_work: Thread | None = None
        """Imports for proposals. Two threads must not import parts of one library at the same time."""

    @property
    def count(self) -> int:
        """How many places there are."""
        return len(self.free) + len(self.resting) + len(self.live)

    def add(self, places: Sequence[Place]) -> None:
        """Use these places too; a node that was given up may be back."""
        self.free += places
        self.gone -= {place.node.id for place in places if place.node}

    def give_up(self, nodes: set[str]) -> list[tuple[str, Place]]:
        """Use the places on these nodes no more; returns those that are in use, with Ray's ids of their trials."""
        self.gone |= nodes
        self.free = deque(place for place in self.free if not self.is_gone(place))
        self.resting = [(until, place) for until, place in self.resting if not self.is_gone(place)]
        return [(ray_id, place) for ray_id, place in self.live.items() if place.node and place.node.id in nodes]

    def is_gone(self, place: Place) -> bool:
        return place.node is not None and place.node.id in self.gone

    def begin(self, work: Callable[[], None]) -> None:
        """Begin other work in a thread."""
        self.other_work = Thread(target=work, daemon=True)
        self.other_work.start()

    def finish_other_work(self) -> None:
        if self.other_work is not None:
            self.other_work.join()

    def rest(self, trial_id: str) -> None:
        """Leave the place of a trial empty for a while after it."""
        self.resting.append((time.monotonic() + REST_SECONDS, self.live.pop(trial_id)))

    def next_trial(self) -> RayTrial | None:
        self.free += [place for until, place in self.resting if until < time.monotonic()]
        self.resting = [one for one in self.resting if one[1] not in self.free]
        if not self.free:
            return None
        self.finish_other_work()
        if self.checks:
            return self._ray_trial("check", self.checks.pop(0))
        trial = self.study.next_trial() if self.study else None
        if trial is None:
            return None
        job = {"trial": trial.name, "params": trial.params, "attempt": trial.attempts, "reported_epochs": trial.epochs}
        limited = trial.origin != Origin.DEFAULT  # which keeps the limits: that was checked before
        return self._ray_trial(trial.name, job | {"beside": self.free[0].beside, "limited": limited})

    def _ray_trial(self, name: str, job: dict[str, Any]) -> RayTrial:
        self.begun[name] += 1
        ray_id = f"{name}-{self.begun[name]}"
        self.live[ray_id] = place = self.free.popleft()
        self.since[ray_id] = time.monotonic()
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
        self.since.pop(trial_id, None)
        if place is not None and not self.is_gone(place):
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

    def __init__(self, source: TrialSource, machines: Machines) -> None:
        super().__init__()
        self.source, self.machines = source, machines
        self.answers: list[str] = []
        """What each check has refused, or an empty text."""
        self.errors: dict[str, Exception] = {}
        """Why trials have failed, by Ray's id."""

    def on_trial_result(self, tune_controller: Any, trial: RayTrial, result: dict[str, Any]) -> str:
        if is_check(trial):
            self.answers.append(result["refused"])
            return TrialScheduler.STOP
        name = name_of(trial)
        if "skipped" in result:
            self.study.skip(name, result["skipped"])
            return TrialScheduler.STOP
        finished = bool(result["finished"])
        decision = self.study.report(name, int(result["epoch"]), metrics_of(result), finished)
        for observer in self.observers:
            observer.reported(self.study.trials[name])
        return TrialScheduler.CONTINUE if decision is Decision.CONTINUE else TrialScheduler.STOP

    def on_trial_complete(self, tune_controller: Any, trial: RayTrial, result: dict[str, Any]) -> None:
        if not is_check(trial):
            self._left(name_of(trial))

    def on_trial_error(self, tune_controller: Any, trial: RayTrial) -> None:
        place = self.source.live[str(trial.trial_id)]
        failure = self._failure(self.errors.pop(str(trial.trial_id)), place)
        if failure.message == NO_MEMORY:
            self.source.rest(str(trial.trial_id))
        if is_check(trial):
            self._check_failed(trial.config, failure)
            return
        name = name_of(trial)
        if failure.kind is FailureKind.DISK_FULL:
            where = f"{place.node}: " if place.node else ""  # it may be a disk of that node alone
            self.study.end_session(SessionEnd.DISK_FULL, where + failure.message.partition(": ")[2])
            self.study.requeue(name)
        elif failure.kind is FailureKind.CARD_LOST and place.node is not None:
            self._give_up(place)  # the other nodes have their cards
            self.study.lose(name, f"{place.node}: {failure.message}")
        elif failure.kind is FailureKind.CARD_LOST:
            self.study.end_session(SessionEnd.CARD_LOST, failure.message.partition(": ")[2].removesuffix("."))
            self.study.requeue(name)
        elif failure.kind is FailureKind.LOST:
            self.study.lose(name, failure.message)
        else:
            self.study.fail(name, failure.message, retry=failure.kind is FailureKind.MACHINE)
        self._left(name)

    def _check_failed(self, check: dict[str, Any], failure: Failure) -> None:
        lost = check.get("lost", 0) + (failure.kind is FailureKind.LOST)
        if failure.kind is FailureKind.LOST and lost < MOST_CHECKS_LOST:
            self.source.checks.append(check | {"lost": lost})
        else:
            self.answers.append(f"The process that tried out the networks has failed: {failure.message}")

    def _failure(self, error: Exception, place: Place) -> Failure:
        if isinstance(error, NodeLost):
            return Failure(FailureKind.LOST, str(error))
        if isinstance(error.cause if isinstance(error, ProcessEnded) else error, OutOfMemoryError):
            return Failure(FailureKind.LOST, NO_MEMORY)
        if isinstance(error, ActorUnavailableError):  # the connection is broken; Ray will know later why
            self._give_up(place)
            return Failure(FailureKind.LOST, f"{place.node or 'Ray'} does not answer")
        if isinstance(error, ActorDiedError) and place.node and (error.preempted or self.machines.has_lost(place)):
            self._give_up(place)
            return Failure(FailureKind.LOST, f"{place.node} is lost")
        return read_failure(str(error))

    def _give_up(self, place: Place) -> None:
        """Use the node of a place no more, unless it passes the checks again."""
        if place.node is not None:
            self.machines.give_up(place)
            self.source.give_up({place.node.id})

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
