"""The plan of a sweep: a spec combined with this machine's resources. It is kept as ``sweep.yaml``."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from optuna.distributions import BaseDistribution, CategoricalDistribution

from src.atomic import replace_text
from src.config.compose import load_config
from src.config.environment import with_data_root
from src.config.overrides import Overrides
from src.config.schema import Config
from src.models.hub import INIT_FROM, local_weights
from src.provenance import provenance
from sweeps.about import PATH_KEYS
from sweeps.default_point import default_point
from sweeps.early_rungs import early_rungs
from sweeps.recorded import scheduler_to_json
from sweeps.search.forecast import Forecast, epochs_to_come, forecast
from sweeps.search.scheduler import SchedulerSettings
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

if TYPE_CHECKING:
    from trainable.smoke_test import EpochCost  # imports torch

DEFAULT_METRIC = "val/iou_best"
"""The metric by which a training keeps its best checkpoint, unless ``training.metric`` is set."""
SESSION_SECONDS = 10.0
"""Time from the command to the first training step: Ray's start, and the imports of the trials' processes."""
START_SECONDS = 1.0
"""Time besides its epochs that a trial needs each time it gets a process: the proposal, and building the network."""


@dataclass(frozen=True)
class SweepPlan:
    """A spec with everything that is decided on this machine: resources, complete overrides, first points."""

    name: str
    spec: SweepSpec
    seed: int
    """Seed of the search. The seed of the trainings is the override ``seed=``."""
    fixed: Overrides
    """The spec's overrides, and then the number of epochs and threads of a trial."""
    default_params: Params
    """Trial 0: the default configuration."""
    known_points: tuple[Params, ...]
    """The next trials: the spec's known-good points, with the missing keys filled in."""
    resources: Resources
    accepted: tuple[str, ...] = ()
    """Problems of the data that the user has accepted."""
    packing: Mapping[int, float] = field(default_factory=dict[int, float])
    """Images per second by trials at once, if they were measured for ``trials_at_once: auto``."""
    address: str | None = None
    """Of the Ray cluster; None: this machine."""
    on_end: str | None = None
    """The user's command for the end of the session."""
    parent_folder: str = "sweeps"
    """The folder in ``output_root`` that contains the sweep's folder."""
    config: Config = field(init=False)
    """The configuration of ``fixed``."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "config", load_config(self.fixed))

    @property
    def example_values(self) -> Params:
        """Every key that a trial may have, each with a possible value."""
        points = [*few_corners(self.spec.space), *self.known_points, self.default_params]
        return {key: value for point in points for key, value in point.items()}

    @property
    def folder(self) -> Path:
        return self.config.output_root / self.parent_folder / self.name

    @property
    def resources_in_words(self) -> str:
        """How many trials run at once, and on what: ``1 at once, each on NVIDIA GeForce RTX 3070 Ti, 7.8 GiB``."""
        nodes = len(self.resources.nodes)
        on_nodes = f" on {nodes} node{'s' * (nodes > 1)}" if nodes else ""
        return f"{self.resources.trials_at_once} at once{on_nodes}, each on {self.resources}"

    def warnings(self) -> list[str]:
        """Warnings about legal but unusual settings, one sentence each."""
        return early_rungs(self.spec.scheduler, self.spec.space, self.fixed)

    def forecast(self, trials: int | None = None, scheduler: SchedulerSettings | None = None) -> Forecast:
        """The expected trials at each rung and epochs in total, at most the budget of epochs.

        ``trials`` and ``scheduler``: in place of the plan's.
        """
        trials, scheduler = trials or self.spec.budget.trials, scheduler or self.spec.scheduler
        expected = forecast(scheduler, trials, self.spec.default_to_end)
        return expected._replace(epochs=min(expected.epochs, self.spec.budget.epochs or expected.epochs))

    def forecast_rest(self, state: SearchState) -> Forecast:
        """The forecast for the rest of a search that has begun. The plan's number of trials is the total."""
        whole, begun = self.forecast(), state.tried
        before = forecast(self.spec.scheduler, begun, self.spec.default_to_end) if begun else None
        epochs = epochs_to_come(state, self.spec.budget.trials, whole.epochs, self.spec.budget.epochs)
        at = {epoch: count - (before.trials_at[epoch] if before else 0) for epoch, count in whole.trials_at.items()}
        return Forecast(at, epochs, whole.starts - (before.starts if before else 0))

    def hours(self, cost: "EpochCost", expected: Forecast) -> float:
        """Wall-clock hours of the ``expected`` epochs, if every epoch takes as long as the measured one.

        Trials on separate cores run in parallel. Trials that share one graphics card slow each other down: they are
        counted as one after the other.
        """
        cards = len(self.resources.cards)
        busy = expected.epochs * cost.seconds + expected.starts * (START_SECONDS + cost.first_seconds)
        if rates := [*self.packing.values()]:  # the first is that of one trial on each card, or on all cores
            together = (cards or 1) * self.packing[self.resources.trials_at_once] / rates[0]
        else:
            together = cards or self.resources.trials_at_once
        return (SESSION_SECONDS + busy / together) / 3600

    def families(self) -> dict[str, list[Params]]:
        """Trial 0 with each choice for each key of the network, by key.

        Choices that are floats (rates, such as dropout) are left out: they do not change the cost.
        """
        families: dict[str, list[Params]] = {}

        def visit(chosen: Params) -> Params:
            def answer(key: str, distribution: BaseDistribution) -> Choice:
                value = chosen.get(key, self.default_params.get(key, extremes(distribution)[0]))
                options = distribution.choices if isinstance(distribution, CategoricalDistribution) else ()
                if key.startswith("model") and not chosen and not all(isinstance(option, float) for option in options):
                    families[key] = [{key: option} for option in options]
                return value

            return walk(self.spec.space, answer)

        visit({})
        return {key: [visit(chosen) for chosen in choices] for key, choices in families.items()}

    def save(self, path: Path, question: str) -> None:
        """Write ``sweep.yaml``: the sweep as run, its question, and the versions of code and packages."""
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
            "limits": self.spec.limits.given if self.spec.limits else {},
            "budget": asdict(self.spec.budget),
            "resources": self.resources.described | ({"images_per_second": dict(self.packing)} if self.packing else {}),
            "search_seed": self.seed,
            "provenance": provenance(),
        }
        replace_text(path, yaml.safe_dump(content, sort_keys=False))


def make_plan(name: str, spec: SweepSpec, seed: int, resources: Resources | None = None) -> SweepPlan:
    """Combine a spec with the resources to use. None: this machine without graphics cards.

    A search space with keys that the configuration does not have is a ``UserError``.
    """
    resources = resources or share_machine(spec.budget.number_at_once)
    metric = () if spec.metric == DEFAULT_METRIC else (keep_best_by(spec.metric),)
    fixed = (
        Overrides.parse(metric)
        .plus(with_data_root(Overrides.parse(spec.fixed)))
        .plus([f"training.epochs={spec.scheduler.max_epochs}", *resources.overrides()])
    )
    if resources.nodes:
        fixed = with_absolute_paths(fixed)
    default_params = default_point(spec.space, fixed)
    known_points = tuple(complete_point(spec.space, point, default_params) for point in spec.points)
    return SweepPlan(name, spec, seed, fixed, default_params, known_points, resources)


def with_absolute_paths(fixed: Overrides) -> Overrides:
    """The overrides with full paths: Ray's processes on other machines work in another folder."""
    config = load_config(fixed)
    found = zip(PATH_KEYS, (config.output_root, config.data.root, config.data.cache_dir), strict=True)
    paths: dict[str, Path] = dict(found)
    if config.model.init_from and local_weights(config.model.init_from):
        paths[INIT_FROM] = Path(config.model.init_from)
    return fixed.without(*paths).plus(f"{key}={path.absolute()}" for key, path in paths.items())


def keep_best_by(metric: str) -> str:
    """The override that makes a training keep its best checkpoint by this metric."""
    return f"training.metric={metric.removeprefix('val/')}"
