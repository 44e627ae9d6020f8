"""What a sweep is going to do: made of a spec and this machine, printed by ``--dry-run``, kept in ``sweep.yaml``."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml
from optuna.distributions import BaseDistribution, CategoricalDistribution

from src.atomic import replace_text
from src.cards import Card
from src.config.compose import load_config
from src.config.environment import with_data_root
from src.config.overrides import Overrides
from src.config.schema import Config
from src.provenance import provenance
from sweeps.early_rungs import early_rungs
from sweeps.forecast import Forecast, forecast
from sweeps.space import (
    Choice,
    Params,
    as_json,
    branches,
    complete_point,
    default_point,
    describe,
    distributions,
    extremes,
    few_corners,
    walk,
)
from sweeps.spec import Space, SweepSpec
from sweeps.standing import Standing
from trainable.rehearsal import EpochCost
from trainable.resources import Resources, share_machine

HOURS_A_DAY = 24
DEFAULT_METRIC = "val/iou_best"
"""Of a training, to keep its best network by."""
SESSION_SECONDS = 15.0
"""Until the first trial trains: Ray, and the imports of the first process."""
START_SECONDS = 1.0
"""Of a trial beyond its epochs, each time it gets a process: a proposal, and the network's making or loading."""


@dataclass(frozen=True)
class SweepPlan:
    """A spec, and what it comes to on this machine."""

    name: str
    spec: SweepSpec
    seed: int
    """Of the search; the training's own is the override ``seed=``."""
    fixed: Overrides
    """The spec's overrides, then the horizon and the threads of a trial."""
    first: Params
    """Trial 0: the default configuration."""
    given: tuple[Params, ...]
    """The next trials: the spec's known-good points, complete."""
    resources: Resources
    accepted: tuple[str, ...] = ()
    """Problems of the data that the user has accepted."""
    home: str = "sweeps"
    """The folder of ``output_root`` that holds it."""

    @property
    def searched(self) -> Params:
        """Every key that any trial may have, with a value it can have."""
        points = [*few_corners(self.spec.space), *self.given, self.first]
        return {key: value for point in points for key, value in point.items()}

    @property
    def config(self) -> Config:
        return load_config(self.fixed)

    @property
    def folder(self) -> Path:
        return self.config.output_root / self.home / self.name

    @property
    def place(self) -> str:
        """Where the trials run, in words: ``1 at once, each on NVIDIA GeForce RTX 3070 Ti, 7.8 GiB``."""
        return f"{self.resources.trials_at_once} at once, each on {self.resources}"

    @property
    def warnings(self) -> list[str]:
        """What is legal and seldom meant, a sentence each."""
        return early_rungs(self.spec.asha, self.spec.space, self.fixed)

    @property
    def expected(self) -> Forecast:
        """Trials at each rung, and epochs; a budget of epochs may end it before."""
        expected = forecast(self.spec.asha, self.spec.form, self.spec.budget.trials)
        return expected._replace(epochs=min(expected.epochs, self.spec.budget.epochs or expected.epochs))

    def still_expected(self, standing: Standing) -> Forecast:
        """The same for what is left of a search that has begun, if the plan's number of trials is the number in all."""
        whole, begun = self.expected, len(standing.rows)
        before = forecast(self.spec.asha, self.spec.form, begun) if begun else None
        epochs = standing.epochs_to_come(self.spec.budget.trials, whole.epochs, self.spec.budget.epochs)
        at = {epoch: count - (before.trials_at[epoch] if before else 0) for epoch, count in whole.trials_at.items()}
        return Forecast(at, epochs, whole.starts - (before.starts if before else 0))

    def hours(self, cost: EpochCost, expected: Forecast | None = None) -> float:
        """Expected wall clock, of the whole sweep or of ``expected``, if every epoch costs what the measured ones did.

        Trials on cores of their own run side by side; on one graphics card they take from each other.
        """
        cards, expected = len(self.resources.cards), expected or self.expected
        start = START_SECONDS + cost.first_seconds
        busy = expected.epochs * cost.seconds + expected.starts * start
        return (SESSION_SECONDS + busy / (cards or self.resources.trials_at_once)) / 3600

    def families(self) -> dict[str, list[Params]]:
        """Trial 0 with every choice that the space has for a key of the network, by key.

        Rates (choices that are floats, as of dropout) are left out: they cost nothing.
        """
        found: dict[str, list[Params]] = {}

        def visit(chosen: Params) -> Params:
            def answer(key: str, distribution: BaseDistribution) -> Choice:
                value = chosen.get(key, self.first.get(key, extremes(distribution)[0]))
                options = distribution.choices if isinstance(distribution, CategoricalDistribution) else ()
                if key.startswith("model") and not chosen and not all(isinstance(option, float) for option in options):
                    found[key] = [{key: option} for option in options]
                return value

            return walk(self.spec.space, answer)

        visit({})
        return {key: [visit(chosen) for chosen in choices] for key, choices in found.items()}

    def lines(self, cost: EpochCost | None, standing: Standing | None = None) -> Iterator[str]:
        """The plan in words, with hours and disk where epochs were measured; ``standing``: of a sweep that goes on."""
        asha, trials, expected = self.spec.asha, self.spec.budget.trials, self.expected
        yield "space, and the default that is trial 0:"
        for key, text in described(self.spec.space).items():
            yield f"  {key:40} {text}; {self.first.get(key, 'not asked')}"
        yield f"ASHA by {self.spec.form}, one in {asha.reduction_factor} goes on; trials expected to reach epoch"
        for epoch, count in expected.trials_at.items():
            yield f"  {epoch:4}  {count:6.1f}{'  the end' if epoch == asha.max_epochs else ''}"
        yield f"{trials} trials, about {expected.epochs:.0f} epochs (without stopping {trials * asha.max_epochs})"
        left = self.still_expected(standing) if standing else None
        if standing and left:
            begun = len(standing.rows)
            yield f"begun: {begun} trials, {standing.epochs} epochs"
            yield f"still to come: {trials - begun} trials, about {left.epochs:.0f} epochs"
        yield from (f"warning: {line}" for line in self.warnings)
        yield self.place
        if cost is not None:
            yield from self._lines_of_cost(cost, left)

    def _lines_of_cost(self, cost: EpochCost, left: Forecast | None) -> Iterator[str]:
        trials, hours = self.spec.budget.trials, self.hours(cost, left)
        of = "for what is still to come" if left else "in all"
        yield f"an epoch takes {cost.seconds:.1f} s here ({cost.device}), measured: about {duration(hours)} {of}"
        if self.spec.budget.hours is not None and hours > self.spec.budget.hours:
            yield f"the budget of {self.spec.budget.hours:g} hours ends it before that"
        if cost.device == "cpu" and hours > HOURS_A_DAY:
            yield "Days on this CPU: use a graphics card, or a smaller data.image_size, --max-epochs and --trials."
        # the last network of trials that may go on, and the best of all
        needed = 2 * trials * cost.checkpoint_mib / 1024
        limit = self.spec.budget.checkpoints_gib
        kept = f", of which the budget keeps the best {limit:g}" if needed > limit else ""
        yield f"checkpoints: up to {needed:.1f} GiB in {self.folder}{kept}"

    def save(self, path: Path, question: str) -> None:
        """Write the sweep as run, with what it asks, and the code and packages that ran it."""
        content = {
            "name": self.name,
            "question": question,
            "metric": self.spec.metric,
            "fixed": list(self.fixed),
            "accepted": list(self.accepted),
            "warnings": self.warnings,
            "space": [as_json(branch) for branch in branches(self.spec.space)],
            "trial_0": dict(self.first),
            "asha": asdict(self.spec.asha) | {"rungs": self.spec.asha.rungs},
            "budget": asdict(self.spec.budget),
            "resources": self.resources.described,
            "search_seed": self.seed,
            "provenance": provenance(),
        }
        replace_text(path, yaml.safe_dump(content, sort_keys=False))


def make_plan(name: str, spec: SweepSpec, seed: int, cards: Sequence[Card] = ()) -> SweepPlan:
    """Complete the spec's overrides for this machine, with these graphics cards of it.

    A space that the configuration lacks is a ``UserError``.
    """
    resources = share_machine(spec.budget.trials_at_once, cards)
    kept_by = () if spec.metric == DEFAULT_METRIC else (chosen_by(spec.metric),)
    own = with_data_root(Overrides.parse(spec.fixed))
    fixed = Overrides.parse(kept_by).plus(own).plus([f"training.epochs={spec.asha.max_epochs}", *resources.overrides()])
    first = default_point(spec.space, fixed)
    given = tuple(complete_point(spec.space, point, first) for point in spec.points)
    return SweepPlan(name, spec, seed, fixed, first, given, resources)


def chosen_by(metric: str) -> str:
    """The override by which a training keeps its best network by the metric that it is ranked by."""
    return f"training.metric={metric.removeprefix('val/')}"


def described(space: Space) -> dict[str, str]:
    """What is searched of every key, in words: all of it where branches differ, and which branches have the key."""
    points = few_corners(space)
    ways = [distributions(space, point) or {} for point in points]
    found: dict[str, str] = {}
    for key in dict.fromkeys(key for way in ways for key in way):
        texts = dict.fromkeys(describe(way[key]) for way in ways if key in way)
        has = [key in way for way in ways]
        found[key] = " or ".join(texts) + ("" if all(has) else f" ({condition(points, has)})")
    return found


def condition(points: Sequence[Params], has: Sequence[bool]) -> str:
    """By which choice the points that ``has`` marks differ from the others: ``only with training.optimizer=sgd``."""
    for key in dict.fromkeys(key for point in points for key in point):
        values = dict.fromkeys(point.get(key) for point, there in zip(points, has, strict=True) if there)
        others = {point.get(key) for point, there in zip(points, has, strict=True) if not there}
        if None not in values and not others & values.keys():
            return f"only with {key}={' or '.join(map(str, values))}"
    return "in a part of the space"


def duration(hours: float) -> str:
    """``12 minutes``, ``3.5 hours`` or ``4.2 days``."""
    if hours < 1:
        return f"{round(hours * 60)} minutes" if hours >= 1 / 40 else "a minute"
    return f"{hours:.1f} hours" if hours < HOURS_A_DAY else f"{hours / HOURS_A_DAY:.1f} days"
