"""What a sweep is going to do: made of a spec and this machine, printed by ``--dry-run``, kept in ``sweep.yaml``."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml
from optuna.distributions import BaseDistribution

from src.config import Config, load_config, with_data_root
from src.provenance import provenance
from sweeps.space import Choice, Params, complete_point, default_point, describe, extremes, walk
from sweeps.spec import Space, SweepSpec
from trainable.rehearsal import EpochCost
from trainable.resources import Resources, share_machine

HOURS_A_DAY = 24


@dataclass(frozen=True)
class SweepPlan:
    """A spec, and what it comes to on this machine."""

    name: str
    spec: SweepSpec
    seed: int
    """Of the search; the training's own is the override ``seed=``."""
    fixed: tuple[str, ...]
    """The spec's overrides, then the horizon and the threads of a trial."""
    first: Params
    """Trial 0: the default configuration."""
    given: tuple[Params, ...]
    """The next trials: the spec's known-good points, complete."""
    resources: Resources

    @property
    def config(self) -> Config:
        return load_config(self.fixed)

    @property
    def folder(self) -> Path:
        return self.config.output_root / "sweeps" / self.name

    @property
    def expected_epochs(self) -> int:
        return self.spec.asha.expected_epochs(self.spec.budget.trials)

    def hours(self, cost: EpochCost) -> float:
        """Expected wall clock, if every epoch costs what the measured one did.

        Trials on cores of their own run side by side; on one graphics card they take from each other.
        """
        cards = round(self.resources.gpus_per_trial * self.resources.trials_at_once)
        return self.expected_epochs * cost.seconds / 3600 / (cards or self.resources.trials_at_once)

    def lines(self, cost: EpochCost) -> Iterator[str]:
        """The plan in words, with hours from one measured epoch of trial 0."""
        asha, trials, hours = self.spec.asha, self.spec.budget.trials, self.hours(cost)
        rungs = ", ".join(map(str, asha.rungs)) or "none"
        yield "space, and the default that is trial 0:"
        for key, text in described(self.spec.space).items():
            yield f"  {key:40} {text}; {self.first.get(key, 'not asked')}"
        yield f"rungs at epochs {rungs}; end at {asha.max_epochs}; one in {asha.reduction_factor} goes on from each"
        yield f"{trials} trials, about {self.expected_epochs} epochs (without stopping {trials * asha.max_epochs})"
        yield f"{self.resources.trials_at_once} at once, each on {self.resources}"
        yield f"an epoch of trial 0 takes {cost.seconds:.1f} s here ({cost.device}): about {duration(hours)} in all"
        if self.spec.budget.hours is not None and hours > self.spec.budget.hours:
            yield f"the budget of {self.spec.budget.hours:g} hours ends it before that"
        if cost.device == "cpu" and hours > HOURS_A_DAY:
            yield "Days on this CPU: use a graphics card, or a smaller data.image_size, --max-epochs and --trials."
        # the last network of every trial, and the best where that is another
        yield f"checkpoints: up to {2 * trials * cost.checkpoint_mib / 1024:.1f} GiB in {self.folder}"

    def save(self, path: Path) -> None:
        """Write the sweep as run, with the code and packages that ran it."""
        content = {
            "name": self.name,
            "metric": self.spec.metric,
            "fixed": list(self.fixed),
            "space": described(self.spec.space),
            "trial_0": dict(self.first),
            "asha": asdict(self.spec.asha) | {"rungs": self.spec.asha.rungs},
            "budget": asdict(self.spec.budget),
            "resources": asdict(self.resources),
            "search_seed": self.seed,
            "provenance": provenance(),
        }
        path.write_text(yaml.safe_dump(content, sort_keys=False))


def make_plan(name: str, spec: SweepSpec, seed: int, gpus: int) -> SweepPlan:
    """Complete the spec's overrides for this machine; a space that the configuration lacks is a ``UserError``."""
    resources = share_machine(spec.budget.trials_at_once, min(spec.budget.gpus, gpus))
    fixed = (*with_data_root(spec.fixed), f"training.epochs={spec.asha.max_epochs}", *resources.overrides())
    first = default_point(spec.space, fixed)
    given = tuple(complete_point(spec.space, point, first) for point in spec.points)
    return SweepPlan(name, spec, seed, fixed, first, given, resources)


def described(space: Space) -> dict[str, str]:
    """Every key of the space in words; of a conditional space the keys on the path of first choices."""
    found: dict[str, str] = {}

    def answer(key: str, distribution: BaseDistribution) -> Choice:
        found[key] = describe(distribution)
        return extremes(distribution)[0]

    walk(space, answer)
    return found


def duration(hours: float) -> str:
    """``12 minutes``, ``3.5 hours`` or ``4.2 days``."""
    if hours < 1:
        return f"{round(hours * 60)} minutes" if hours >= 1 / 40 else "a minute"
    return f"{hours:.1f} hours" if hours < HOURS_A_DAY else f"{hours / HOURS_A_DAY:.1f} days"
