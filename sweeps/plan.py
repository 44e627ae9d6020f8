"""The plan of a sweep: a spec combined with this machine's resources. It is kept as ``sweep.yaml``."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
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
from sweeps.default_point import default_point
from sweeps.early_rungs import early_rungs
from sweeps.recorded import scheduler_to_json
from sweeps.search.forecast import Forecast, epochs_to_come, forecast
from sweeps.search.space import (
    Choice,
    Params,
    as_json,
    branches,
    complete_point,
    extremes,
    few_corners,
    walk,
)
from sweeps.search.state import SearchState
from sweeps.spec import SweepSpec
from trainable.resources import Resources, share_machine
from trainable.smoke_test import EpochCost

DEFAULT_METRIC = "val/iou_best"
"""The metric by which a training keeps its best checkpoint, unless ``training.metric`` says another."""
SESSION_SECONDS = 15.0
"""From the command to the first trial's training: Ray's start, and the imports of the first process."""
START_SECONDS = 1.0
"""What a trial takes besides its epochs each time it gets a process: a proposal, and building the network."""


@dataclass(frozen=True)
class SweepPlan:
    """A spec, and what it comes to on this machine."""

    name: str
    spec: SweepSpec
    seed: int
    """Of the search; the training's own is the override ``seed=``."""
    fixed: Overrides
    """The spec's overrides, then the horizon and the threads of a trial."""
    default_params: Params
    """Trial 0: the default configuration."""
    known_points: tuple[Params, ...]
    """The next trials: the spec's known-good points, complete."""
    resources: Resources
    accepted: tuple[str, ...] = ()
    """Problems of the data that the user has accepted."""
    parent_folder: str = "sweeps"
    """The folder of ``output_root`` that holds it."""
    config: Config = field(init=False)
    """Of ``fixed``."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "config", load_config(self.fixed))

    @property
    def example_values(self) -> Params:
        """Every key that any trial may have, with a value it can have."""
        points = [*few_corners(self.spec.space), *self.known_points, self.default_params]
        return {key: value for point in points for key, value in point.items()}

    @property
    def folder(self) -> Path:
        return self.config.output_root / self.parent_folder / self.name

    @property
    def resources_in_words(self) -> str:
        """Where the trials run, in words: ``1 at once, each on NVIDIA GeForce RTX 3070 Ti, 7.8 GiB``."""
        return f"{self.resources.trials_at_once} at once, each on {self.resources}"

    def warnings(self) -> list[str]:
        """What is legal and seldom meant, a sentence each."""
        return early_rungs(self.spec.scheduler, self.spec.space, self.fixed)

    def forecast(self) -> Forecast:
        """Trials at each rung, and epochs; a budget of epochs may end it before."""
        expected = forecast(self.spec.scheduler, self.spec.budget.trials)
        return expected._replace(epochs=min(expected.epochs, self.spec.budget.epochs or expected.epochs))

    def forecast_rest(self, state: SearchState) -> Forecast:
        """The same for what is left of a search that has begun, if the plan's number of trials is the number in all."""
        whole, begun = self.forecast(), len(state.trials)
        before = forecast(self.spec.scheduler, begun) if begun else None
        epochs = epochs_to_come(state, self.spec.budget.trials, whole.epochs, self.spec.budget.epochs)
        at = {epoch: count - (before.trials_at[epoch] if before else 0) for epoch, count in whole.trials_at.items()}
        return Forecast(at, epochs, whole.starts - (before.starts if before else 0))

    def hours(self, cost: EpochCost, expected: Forecast) -> float:
        """The wall clock of what is ``expected``, if every epoch costs what the measured ones did.

        Trials on cores of their own run side by side; on one graphics card they take from each other.
        """
        cards = len(self.resources.cards)
        busy = expected.epochs * cost.seconds + expected.starts * (START_SECONDS + cost.first_seconds)
        return (SESSION_SECONDS + busy / (cards or self.resources.trials_at_once)) / 3600

    def families(self) -> dict[str, list[Params]]:
        """Trial 0 with every choice that the space has for a key of the network, by key.

        Rates (choices that are floats, as of dropout) are left out: they cost nothing.
        """
        found: dict[str, list[Params]] = {}

        def visit(chosen: Params) -> Params:
            def answer(key: str, distribution: BaseDistribution) -> Choice:
                value = chosen.get(key, self.default_params.get(key, extremes(distribution)[0]))
                options = distribution.choices if isinstance(distribution, CategoricalDistribution) else ()
                if key.startswith("model") and not chosen and not all(isinstance(option, float) for option in options):
                    found[key] = [{key: option} for option in options]
                return value

            return walk(self.spec.space, answer)

        visit({})
        return {key: [visit(chosen) for chosen in choices] for key, choices in found.items()}

    def save(self, path: Path, question: str) -> None:
        """Write the sweep as run, with what it asks, and the code and packages that ran it."""
        scheduler = self.spec.scheduler
        content = {
            "name": self.name,
            "question": question,
            "metric": self.spec.metric,
            "fixed": list(self.fixed),
            "accepted": list(self.accepted),
            "warnings": self.warnings(),
            "space": [as_json(branch) for branch in branches(self.spec.space)],
            "trial_0": dict(self.default_params),
            "scheduler": scheduler_to_json(scheduler)
            | {"rungs": list(scheduler.rungs), "described": scheduler.described},
            "sampler": self.spec.sampler_name,
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
    fixed = (
        Overrides.parse(kept_by)
        .plus(own)
        .plus([f"training.epochs={spec.scheduler.max_epochs}", *resources.overrides()])
    )
    default_params = default_point(spec.space, fixed)
    known_points = tuple(complete_point(spec.space, point, default_params) for point in spec.points)
    return SweepPlan(name, spec, seed, fixed, default_params, known_points, resources)


def chosen_by(metric: str) -> str:
    """The override by which a training keeps its best network by the metric that it is ranked by."""
    return f"training.metric={metric.removeprefix('val/')}"
