"""Warm start: what a new sweep uses from an earlier one (``--warm-start OTHER``).

A trial of the other sweep counts as one of the new sweep only if that would train exactly the same configuration at its
point, with the same data and code. All others are trials elsewhere: their best points are tried at the beginning, and
the project's own model uses them as far as the results of the new sweep agree with theirs (``sweeps.search.gp_model``).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, cast

from optuna.distributions import BaseDistribution

from src.config.compose import compose
from src.config.overrides import Overrides
from src.data.cache import data_fingerprint
from src.errors import UserError
from sweeps.about import PATH_KEYS, read_about
from sweeps.identity import starting_weights, training_code
from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.plan import SweepPlan
from sweeps.recorded import read_state
from sweeps.search.events import Failed, Reported, SessionBegan
from sweeps.search.sampler import OWN_MODEL
from sweeps.search.space import Choice, Params, contains, walk
from sweeps.search.trial import Trial, TrialState, ranked
from trainable.overrides import trial_overrides

POINTS = 3
"""How many points of the other trials are tried first."""
TRAINING_PARTS = ("data", "weights", "src/", "trainable/", "configs/")
"""Prefixes of the names of data, weights to start from and code in a sweep's identity."""
IRRELEVANT = tuple(
    f"{key}."
    for key in (
        *PATH_KEYS,
        "experiment_name",
        "seed",  # every score has its noise
        "threads",
        "listeners",
        "data.num_workers",
        "training.log_gpu_memory",
        "training.resume_from",
        "evaluation",
    )
)
"""Prefixes of keys that do not change how good a training becomes, each with a full stop at the end."""


class Difference(NamedTuple):
    """The first setting in which a trial of another sweep differs from the new sweep."""

    key: str
    ours: str
    theirs: str


class TrialPoint(NamedTuple):
    """A trial of another sweep as a point of our space, and its whole configuration."""

    point: Params
    values: Mapping[str, Any]


@dataclass
class WarmStart:
    """The trials and points that a new sweep uses from another one."""

    trials: list[Trial] = field(default_factory=list[Trial])
    """Trials that count as ours: points of our space with values at our rungs."""
    elsewhere: list[Trial] = field(default_factory=list[Trial])
    """The same of those that were trained differently; the epochs are ours at the same share of a training."""
    points: list[Params] = field(default_factory=list[Params])
    """Points to try after the default and the spec's own, every other trial."""
    differing: list[Difference] = field(default_factory=list[Difference])
    """For each trial that was trained differently: the first difference."""
    outside: int = 0
    """The number of trials outside of our search space."""

    def lines(self) -> Iterator[str]:
        """What is used and what is not, in words."""
        yield (
            f"{len(self.trials)} trials as if they were ours, {len(self.elsewhere)} others for the model as far as our "
            f"results agree with theirs, {len(self.points)} points to try first"
        )
        first = {difference.key: difference for difference in reversed(self.differing)}
        for key, count in Counter(difference.key for difference in self.differing).most_common():
            several = len({difference for difference in self.differing if difference.key == key}) > 1
            yield (
                f"{count} trials were trained differently: {key} is {first[key].ours} here, {first[key].theirs} there"
                f"{', among others' if several else ''}"
            )
        if self.outside:
            yield f"{self.outside} trials not used, because their points are outside of this search space"


def warm_start(folder: Path, plan: SweepPlan) -> WarmStart:
    """Read the trials and points of the sweep in ``folder`` for the plan. Another metric is a ``UserError``."""
    ledger = Ledger(folder / LEDGER_FILE, read_only=True)
    try:
        state = read_state(ledger)
        if state.metric != plan.spec.metric:
            raise UserError(
                f"{folder} was ranked by {state.metric}, but this sweep by {plan.spec.metric}: they are not comparable."
            )
        fixed = Overrides.parse(read_about(folder)["fixed"])
        general_difference, changed_later = surroundings_differ(plan, ledger.get("identity")), changed_since(ledger)
        warm, other_points = WarmStart(), list[Params]()
        longer = plan.spec.scheduler.max_epochs / state.scheduler.settings.max_epochs
        for trial in ranked(state.trials.values()):
            trial_point = point_of(trial_overrides(fixed, trial.params), plan)
            if trial_point is None:
                warm.outside += 1
            elif differs := settings_differ(plan, *trial_point) or general_difference or changed_later.get(trial.name):
                warm.differing.append(differs)
                other_points += [trial_point.point] if not trial.is_infeasible else []
                if plan.spec.sampler == OWN_MODEL:
                    warm.elsewhere += convert_trial(trial, trial_point.point, ledger, plan, longer)
            else:
                warm.trials += convert_trial(trial, trial_point.point, ledger, plan)
    finally:
        ledger.close()
    for trials in (warm.trials, warm.elsewhere):
        trials.sort(key=lambda trial: trial.number)  # a model takes the latest for those that know most
    if not any(trial.values for trial in warm.elsewhere):
        warm.elsewhere.clear()  # a model of failures alone says nothing
    tried = [plan.default_params, *plan.known_points, *(trial.params for trial in warm.trials)]
    new = [point for number, point in enumerate(other_points) if point not in [*tried, *other_points[:number]]]
    warm.points = new[:POINTS]
    return warm


def convert_trial(trial: Trial, point: Params, ledger: Ledger, plan: SweepPlan, longer: float = 1.0) -> list[Trial]:
    """Convert a trial to one of ours, with its values at our rungs; an empty list if it has no value there.

    ``longer``: our epochs of a whole training divided by theirs.
    """
    values = {epoch: value for epoch, value in ledger.values(trial.name).items() if value is not None} | trial.values
    rungs = (*plan.spec.scheduler.rungs, plan.spec.scheduler.max_epochs)
    ours = {round(epoch / longer): epoch for epoch in reversed(rungs)}  # each epoch of theirs counts once
    kept = {epoch: values[their] for their, epoch in reversed(ours.items()) if their in values}
    useful = kept or trial.state == TrialState.FAILED
    converted = Trial(trial.name, point, number=trial.number, values=kept, state=trial.state, score=trial.score)
    return [converted] if useful else []


def changed_since(ledger: Ledger) -> dict[str, Difference]:
    """For each trial that started before its sweep changed data, code or settings: the first change after its start.

    The sweep's folder describes only the time after the last change.
    """
    begun, first_changes = set[str](), dict[str, Difference]()
    for event in (record.event for record in ledger.records()):
        if isinstance(event, Reported | Failed):
            begun.add(event.trial)
        changes = event.changes if isinstance(event, SessionBegan) else {}
        for name, (then, now) in changes.items():
            if decides_training(name):
                first = Difference(name.removeprefix("fixed: "), now or "nothing", then or "nothing")
                first_changes = dict.fromkeys(begun, first) | first_changes
    return first_changes


def decides_training(name: str) -> bool:
    """Whether a part of a sweep's identity changes how good its trainings become."""
    kind, fixed, key = name.partition("fixed: ")
    return not f"{key}.".startswith(IRRELEVANT) if fixed and not kind else name.startswith(TRAINING_PARTS)


def surroundings_differ(plan: SweepPlan, before: Mapping[str, str]) -> Difference | None:
    """The first difference in data or code between our trainings and those of a sweep with the identity ``before``.

    New files of code are ignored, because the other sweep cannot have used them.
    """
    now = {"data": data_fingerprint(plan.config.data), **starting_weights(plan), **training_code()}
    names = [name for name in before if name.startswith(TRAINING_PARTS)]
    changed = (Difference(name, now.get(name, "nothing"), before[name]) for name in names)
    return next((found for found in changed if found.ours != found.theirs), None)


def settings_differ(plan: SweepPlan, point: Params, theirs: Mapping[str, Any]) -> Difference | None:
    """The first key whose value differs between a trial's configuration and ours at the same point."""
    here, there = dict(leaves(compose(trial_overrides(plan.fixed, point)).values)), dict(leaves(theirs))
    keys = [key for key in dict.fromkeys([*here, *there]) if not f"{key}.".startswith(IRRELEVANT)]
    values = (Difference(key, str(here.get(key, "nothing")), str(there.get(key, "nothing"))) for key in keys)
    return next((found for found in values if found.ours != found.theirs), None)


def leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a configuration under its dotted key."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(cast(Mapping[str, Any], value), f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def point_of(overrides: Iterable[str], plan: SweepPlan) -> TrialPoint | None:
    """The point of the plan's space that a trial with these overrides trained; None if it is outside of the space."""

    def answer(key: str, distribution: BaseDistribution) -> Choice:
        value = cast(Choice, composed.value(key))
        if not contains(distribution, value):
            raise _Outside
        return value

    try:
        composed = compose(overrides)
        return TrialPoint(walk(plan.spec.space, answer), composed.values)
    except (_Outside, UserError):  # a key that its configuration does not have
        return None


class _Outside(Exception):
    pass
