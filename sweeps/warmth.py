"""What a new sweep takes from one that was before: ``--warm-start OTHER``."""

from pathlib import Path
from typing import NamedTuple, cast

from optuna.distributions import BaseDistribution

from src.config import compose_values, group_choices, value_at
from src.data.cache import data_fingerprint
from src.errors import UserError
from sweeps.about import read_about
from sweeps.leaderboard import TrialRow, ranked
from sweeps.ledger import NAME, Ledger
from sweeps.plan import SweepPlan
from sweeps.space import Choice, Params, contains, walk
from sweeps.standing import read_standing
from trainable.trial import trial_overrides

POINTS = 3
"""Of a sweep on other data only its best points are taken, to be tried first."""


class Warmth(NamedTuple):
    """What is known before the first trial."""

    rows: list[TrialRow]
    """Trials for the model: points of our space with values at our rungs."""
    points: list[Params]
    """Points to try right after the default."""


COLD = Warmth([], [])


def warmth(folder: Path, plan: SweepPlan) -> Warmth:
    """What the sweep in ``folder`` knows of the plan's space.

    Its trials enter the model if it was on the same data: each as the point of our space that it trained (a key that it
    did not search has the value of its configuration), with its values at the same parts of a training. Points that lie
    outside of our ranges are left out. Scores on other data say little of ours: then its best points are tried first.
    A sweep of another metric is a ``UserError``.
    """
    ledger = Ledger(folder / NAME, read_only=True)
    study = read_standing(ledger)
    if study.metric != plan.spec.metric:
        raise UserError(f"{folder} was ranked by {study.metric}, this sweep is by {plan.spec.metric}: not comparable.")
    fixed = read_about(folder)["fixed"]
    ours, theirs = [*plan.spec.asha.rungs, plan.spec.asha.max_epochs], study.asha.max_epochs
    rows: list[TrialRow] = []
    for row in ranked(study.rows.values()):
        point = point_of(tuple(fixed), row.params, plan)
        if point is None:
            continue
        values = ledger.values(row.name)
        same_part = {epoch: values.get(round(epoch * theirs / ours[-1])) for epoch in ours}
        kept = {epoch: value for epoch, value in same_part.items() if value is not None}
        if kept or row.state == "failed":
            rows.append(TrialRow(row.name, point, values=kept, state=row.state, score=row.score))
    same_data = ledger.get("identity")["data"] == data_fingerprint(plan.config.data)
    ledger.close()
    best = [row.params for row in rows[:POINTS] if row.state != "failed"]
    return Warmth(rows, []) if same_data else Warmth([], best)


def point_of(fixed: tuple[str, ...], params: Params, plan: SweepPlan) -> Params | None:
    """The point of the plan's space that a trial of another sweep trained; None: it lies outside."""
    overrides = trial_overrides(fixed, params)
    values, choices = compose_values(overrides), group_choices(overrides)

    def answer(key: str, distribution: BaseDistribution) -> Choice:
        group = key.replace(".", "/")
        value = cast(Choice, choices[group] if group in choices else value_at(values, key))
        if not contains(distribution, value):
            raise _Outside
        return value

    try:
        return walk(plan.spec.space, answer)
    except (_Outside, UserError):  # a key that its configuration does not have
        return None


class _Outside(Exception):
    pass
