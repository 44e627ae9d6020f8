"""Whether the trainings of a sweep fit on its graphics cards, before any is started."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from src.config.compose import load_config
from src.config.overrides import Override, Overrides
from src.config.schema import Config
from src.errors import UserError
from src.models.registry import smallest_micro_batch
from src.training.memory import fitting_micro_batch, needed, predict_peak
from trainable.resources import Resources

BUILT = ("model", "data", "training.loss", "training.optimizer", "training.ema", "training.gradient", "training.mixed")
"""How the keys begin that can decide what is built and held."""
FRACTION = re.compile(r"\d*\.\d*(e[+-]?\d+)?|\d+e[+-]?\d+")


@dataclass(frozen=True)
class Fit:
    """A network of a space on the card of a trial; MiB by prediction."""

    name: str
    """Its sampled overrides that decide what is built."""
    needed_mib: int
    """With ``data.batch_size`` images at once."""
    least_mib: int
    """With as few images at once as it can learn from."""
    batch_size: int
    micro_batch: int | None
    """Images at once that fit; None: not even the fewest do."""

    @property
    def halved(self) -> bool:
        return self.micro_batch is not None and self.micro_batch < self.batch_size

    def __str__(self) -> str:
        fate = f"; batches of {self.batch_size} will be halved to {self.micro_batch} at once" if self.halved else ""
        fate = f"; it does not fit, for it needs {self.least_mib} MiB at least" if self.micro_batch is None else fate
        return f"{self.name}: {self.needed_mib} MiB{fate}"


def fit_networks(networks: Iterable[Iterable[str]], resources: Resources, fixed: Iterable[str]) -> list[Fit]:
    """How each network, a list of overrides that begins with ``fixed``, fits on the card of a trial.

    Without a card there is nothing to fit on.
    """
    limit = resources.share_mib
    if limit is None:
        return []
    known, parsed = len(Overrides.parse(fixed)), map(Overrides.parse, networks)
    fits = (_fit(load_config(overrides), _name(overrides.items[known:]), limit) for overrides in parsed)
    return list(dict.fromkeys(fits))  # rates make other networks that take as much


def refuse_misfits(fits: Iterable[Fit], limit_mib: int | None) -> None:
    """A network that does not fit on the card of a trial is a ``UserError``."""
    for fit in fits:
        if fit.micro_batch is None:
            raise UserError(
                f"{fit.name} needs {fit.least_mib} MiB of a graphics card at least, by prediction, and a trial has "
                f"{limit_mib}. A smaller data.image_size or another model or encoder needs less; fewer trials at once "
                "have more."
            )


def _fit(config: Config, name: str, limit_mib: int) -> Fit:
    micro_batch = fitting_micro_batch(config, limit_mib)
    full = needed(predict_peak(config))
    least = needed(predict_peak(config, smallest_micro_batch(config))) if micro_batch is None else full
    return Fit(name, full, least, config.data.batch_size, micro_batch)


def _name(sampled: Sequence[Override]) -> str:
    """The overrides that decide what is built: no rates and weights, which are fractions."""
    built = [item for item in sampled if item.key.startswith(BUILT) and not FRACTION.fullmatch(item.value or "")]
    return " ".join(map(str, built)) or "all networks"
