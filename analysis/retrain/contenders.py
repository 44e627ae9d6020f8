"""Who takes part in a retraining: the best configurations of a sweep and its default, and with which settings."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from analysis.costs import costs_of
from analysis.results import SweepResults
from src.config.compose import load_config
from src.config.overrides import Overrides
from src.errors import UserError
from trainable.limits import Limits, in_words, read_limits

SEED = "seed"
DATA_ROOT = "data.root"
RESET_KEYS = (SEED, "threads", "training.epochs", "training.metric", "output_root")
"""Keys of the search that a retraining sets itself."""


@dataclass(frozen=True)
class RaceSettings:
    """The settings of a race."""

    top: int
    """The number of best configurations besides the default."""
    seeds: int
    epochs: int | None
    """Epochs of each training. None: the sweep's ``max_epochs``."""
    metric: str
    folds: int = 0
    """Parts of all photographs, each of which is the test split of one training. 0: the data folder's own splits."""
    within: tuple[str, ...] = ()
    """Limits of the costs of contenders, such as ``milliseconds=30``."""

    @property
    def options(self) -> str:
        """The options of the command that give them: ``--top 3 --seeds 5 --metric val/iou_best``."""
        options = {name: value for name, value in asdict(self).items() if value and name != "within"}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        return shlex.join([*words, *(word for limit in self.within for word in ("--within", limit))])


@dataclass(frozen=True)
class Contender:
    """A configuration that is trained again."""

    trial: str
    """Its name in the sweep."""
    params: Mapping[str, Any]
    score: float | None
    """Its score in the search, by the metric of the race."""
    epochs: int = 0
    """The epochs that it was trained in the search; 0: unknown."""
    broken: str = ""
    """The limits that it breaks (``--within``): only the default may, and then it is compared but not chosen."""


def contenders_of(sweep: SweepResults, settings: RaceSettings) -> list[Contender]:
    """The contenders: the default first, then the best others, by the best value of the metric over their epochs.

    With ``within``, only those whose costs keep these limits, beside the default.
    """
    values = best_values(sweep, settings.metric)
    if not values:
        raise UserError(f"No trial in {sweep.folder} has a value of {settings.metric}, so there is no best one.")
    if any(SEED in params for params in sweep.params.values()):
        raise UserError(
            f"{sweep.name} has searched the key '{SEED}', so its trials differ by seed; retrain-best, which uses fresh "
            "seeds, cannot compare them."
        )
    default = str(sweep.trials.sort_values("number")["trial"].iloc[0])
    best = [name for name in sorted(values, key=lambda name: (-values[name], name)) if name != default]
    limits, broken = read_limits(settings.within), ""
    if limits.given:
        best = within_limits(sweep, best, limits)
        costs = costs_of(sweep).get(default)
        broken = "; ".join(limits.broken(costs)) if costs else "its costs are not known"
    names = (default, *best[: settings.top])
    found = [Contender(name, sweep.params[name], values.get(name), epochs_of(sweep, name)) for name in names]
    return [replace(found[0], broken=broken), *found[1:]]


def within_limits(sweep: SweepResults, trials: Sequence[str], limits: Limits) -> list[str]:
    """Those whose costs keep the limits; if there are none, a ``UserError`` with the smallest costs."""
    costs = costs_of(sweep)
    if not costs:
        raise UserError(f"--within: the costs of the trials of {sweep.name} were not measured, as in all older sweeps.")
    found = [trial for trial in trials if trial in costs and not [*limits.broken(costs[trial])]]
    if not found:
        least = ", ".join(
            f"{name} {in_words(name, min(getattr(one, name) for one in costs.values()))}" for name in limits.given
        )
        raise UserError(
            f"--within: no trial of {sweep.name} beside the default keeps {limits}. The smallest there are: {least}."
        )
    return found


def epochs_of(sweep: SweepResults, trial: str) -> int:
    """The epochs that the search trained a trial. A trial that ended by early stopping counts as fully trained."""
    row = sweep.trials.set_index("trial").loc[trial].to_dict()
    return sweep.rungs[-1] if row["state"] == "complete" else int(row["epochs"])


def best_values(sweep: SweepResults, metric: str) -> dict[str, float]:
    """The best value over the epochs of each trial that did not fail."""
    if metric == sweep.metric:
        ranked = sweep.ranked
        return dict(zip(ranked["trial"], ranked["score"].astype(float), strict=True))
    if metric not in sweep.reports:
        raise UserError(f"--metric {metric}: the trials of the sweep did not report this metric.")
    best: dict[str, float] = sweep.reports.groupby("trial")[metric].max().to_dict()  # type: ignore[reportUnknownMemberType]
    return {name: best[name] for name in sweep.ranked["trial"] if name in best}


def folder_of(sweep: SweepResults) -> Path:
    """The folder of a sweep's retraining."""
    return sweep.folder.parents[1] / "retrain" / sweep.name


def fixed_of(sweep: SweepResults, data_root: Path | None = None) -> Overrides:
    """The search's fixed overrides without ``RESET_KEYS``; ``data_root`` replaces the data folder."""
    fixed = Overrides.parse(sweep.about["fixed"]).without(*RESET_KEYS)
    if data_root:
        fixed = fixed.without("data.root").plus([f"data.root={data_root}"])
    root = load_config(fixed).data.root
    if not root.is_dir():
        raise UserError(
            f"{root}, the data folder of {sweep.name}, does not exist: use --data-root=FOLDER with its new path."
        )
    return fixed


def fresh_seeds(sweep: SweepResults, count: int) -> list[int]:
    """The seeds 0, 1, 2, ... without the one that the search used."""
    used = load_config(sweep.about["fixed"]).seed
    return [seed for seed in range(count + 1) if seed != used][:count]
