"""What a new sweep takes from one that was before: ``--warm-start OTHER``.

A trial tells the model something only if it trained what a trial of ours at the same point would train: the same data,
code and configuration. Of all others only the best points are of use, to be tried first.
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
from sweeps.about import PLACES, read_about
from sweeps.identity import training_code
from sweeps.leaderboard import TrialRow, ranked
from sweeps.ledger import NAME, Ledger
from sweeps.plan import SweepPlan
from sweeps.space import Choice, Params, contains, walk
from sweeps.standing import read_standing
from trainable.trial import trial_overrides

POINTS = 3
"""Of trials that were trained otherwise only the best points are taken, to be tried first."""
OF_TRAINING = ("data", "src/", "trainable/", "configs/")
"""How the names of data and code in a sweep's identity begin."""
NO_MATTER = tuple(
    f"{key}."
    for key in (
        *PLACES,
        "experiment_name",
        "seed",  # chance, which is in every score
        "threads",
        "data.num_workers",
        "training.log_gpu_memory",
        "training.resume_from",
        "evaluation",
    )
)
"""How keys begin, with a full stop at their ends, that do not decide how good a training becomes."""


class Difference(NamedTuple):
    """What a trial of another sweep was trained with otherwise than ours would be, first of all."""

    key: str
    ours: str
    theirs: str


class Known(NamedTuple):
    """A trial of another sweep as a point of our space, and its whole configuration."""

    point: Params
    values: Mapping[str, Any]


@dataclass
class Warmth:
    """What is known before the first trial."""

    rows: list[TrialRow] = field(default_factory=list[TrialRow])
    """Trials for the model: points of our space with values at our rungs."""
    points: list[Params] = field(default_factory=list[Params])
    """Points to try right after the default."""
    differing: list[Difference] = field(default_factory=list[Difference])
    """Of each trial that does not enter the model, why."""
    outside: int = 0
    """Trials at points that our space does not have."""

    def lines(self) -> Iterator[str]:
        """What is taken and what is not, in words."""
        yield f"{len(self.rows)} trials for the model, {len(self.points)} points to try first"
        first = {found.key: found for found in reversed(self.differing)}
        for key, count in Counter(found.key for found in self.differing).most_common():
            more = ", among others" if len({found for found in self.differing if found.key == key}) > 1 else ""
            yield (
                f"{count} not for the model, since they were trained otherwise: {key} is {first[key].ours} here, "
                f"{first[key].theirs} there{more}"
            )
        if self.outside:
            yield f"{self.outside} left out, since their points lie outside of what is searched here"


def warmth(folder: Path, plan: SweepPlan) -> Warmth:
    """What the sweep in ``folder`` knows of the plan's space; one of another metric is a ``UserError``."""
    ledger = Ledger(folder / NAME, read_only=True)
    try:
        study = read_standing(ledger)
        if study.metric != plan.spec.metric:
            raise UserError(
                f"{folder} was ranked by {study.metric}, this sweep is by {plan.spec.metric}: not comparable."
            )
        fixed, of_all = Overrides.parse(read_about(folder)["fixed"]), surroundings_differ(plan, ledger.get("identity"))
        of_some, found, others = changed_since(ledger), Warmth(), list[Params]()
        for row in ranked(study.rows.values()):
            known = point_of(trial_overrides(fixed, row.params), plan)
            if known is None:
                found.outside += 1
            elif differs := settings_differ(plan, *known) or of_all or of_some.get(row.name):
                found.differing.append(differs)
                others += [known.point] if row.state != "failed" else []
            else:
                found.rows += as_ours(row, known.point, ledger, plan)
    finally:
        ledger.close()
    tried = [plan.first, *plan.given, *(row.params for row in found.rows)]
    new = [point for number, point in enumerate(others) if point not in [*tried, *others[:number]]]
    found.points = new[:POINTS]
    return found


def as_ours(row: TrialRow, point: Params, ledger: Ledger, plan: SweepPlan) -> list[TrialRow]:
    """A trial as one of ours, with its values at our rungs; none if it says nothing there."""
    values = {epoch: value for epoch, value in ledger.values(row.name).items() if value is not None} | row.values
    ours = [*plan.spec.asha.rungs, plan.spec.asha.max_epochs]
    kept = {epoch: values[epoch] for epoch in ours if epoch in values}
    told = kept or row.state == "failed"
    return [TrialRow(row.name, point, values=kept, state=row.state, score=row.score)] if told else []


def changed_since(ledger: Ledger) -> dict[str, Difference]:
    """Of each trial that was begun when its sweep went on with other data, code or settings: the first of those.

    What the sweep's folder says of itself is of the time after that.
    """
    begun, found = set[str](), dict[str, Difference]()
    for entry in ledger.entries():
        if entry.kind in ("report", "fail"):
            begun.add(entry.trial)
        changes = entry.detail.get("changes", {}) if entry.kind == "session" else {}  # older ledgers say nothing of it
        for name, (then, now) in changes.items():
            if decides_training(name):
                first = Difference(name.removeprefix("fixed: "), now or "nothing", then or "nothing")
                found = dict.fromkeys(begun, first) | found
    return found


def decides_training(name: str) -> bool:
    """Whether a part of a sweep's identity decides how good its trainings become."""
    kind, fixed, key = name.partition("fixed: ")
    return not f"{key}.".startswith(NO_MATTER) if fixed and not kind else name.startswith(OF_TRAINING)


def surroundings_differ(plan: SweepPlan, before: Mapping[str, str]) -> Difference | None:
    """Whether all trials of a sweep of that identity had other data or code than ours will have.

    A file of code that is new cannot have been a part of theirs.
    """
    now = {"data": data_fingerprint(plan.config.data), **training_code()}
    names = [name for name in before if name.startswith(OF_TRAINING)]
    changed = (Difference(name, now.get(name, "nothing"), before[name]) for name in names)
    return next((found for found in changed if found.ours != found.theirs), None)


def settings_differ(plan: SweepPlan, point: Params, theirs: Mapping[str, Any]) -> Difference | None:
    """The first key with another value in a trial's configuration than in that of ours at the point."""
    here, there = dict(leaves(compose(trial_overrides(plan.fixed, point)).values)), dict(leaves(theirs))
    keys = [key for key in dict.fromkeys([*here, *there]) if not f"{key}.".startswith(NO_MATTER)]
    values = (Difference(key, str(here.get(key, "nothing")), str(there.get(key, "nothing"))) for key in keys)
    return next((found for found in values if found.ours != found.theirs), None)


def leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a configuration under its dotted key."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(cast(Mapping[str, Any], value), f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def point_of(overrides: Iterable[str], plan: SweepPlan) -> Known | None:
    """The point of the plan's space that a trial of these overrides trained; None: it lies outside."""

    def answer(key: str, distribution: BaseDistribution) -> Choice:
        value = cast(Choice, composed.value(key))
        if not contains(distribution, value):
            raise _Outside
        return value

    try:
        composed = compose(overrides)
        return Known(walk(plan.spec.space, answer), composed.values)
    except (_Outside, UserError):  # a key that its configuration does not have
        return None


class _Outside(Exception):
    pass
