"""Predicts, before a sweep starts, whether its networks fit into the memory of its graphics cards."""

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
"""Prefixes of the keys that can change the network and its memory."""
FRACTION = re.compile(r"\d*\.\d*(e[+-]?\d+)?|\d+e[+-]?\d+")


@dataclass(frozen=True)
class Fit:
    """How a network of the search space fits on a trial's card. All MiB are predicted."""

    name: str
    """The sampled overrides that decide what is built."""
    needed_mib: int
    """Memory with ``data.batch_size`` images at once."""
    least_mib: int
    """Memory with the smallest micro-batch that it can learn from."""
    batch_size: int
    micro_batch: int | None
    """The largest number of images at once that fits. None: not even the smallest micro-batch fits."""

    @property
    def halved(self) -> bool:
        return self.micro_batch is not None and self.micro_batch < self.batch_size

    def __str__(self) -> str:
        note = f"; batches of {self.batch_size} will be halved to {self.micro_batch} at once" if self.halved else ""
        note = f"; does not fit, needs at least {self.least_mib} MiB" if self.micro_batch is None else note
        return f"{self.name}: {self.needed_mib} MiB{note}"


def fit_networks(networks: Iterable[Iterable[str]], resources: Resources, fixed: Iterable[str]) -> list[Fit]:
    """Check each network against the memory of a trial's card; an empty list on a machine without cards.

    A network is given as a list of overrides that begins with ``fixed``.
    """
    limit = resources.share_mib
    if limit is None:
        return []
    skipped, parsed = len(Overrides.parse(fixed)), map(Overrides.parse, networks)
    fits = (_fit(load_config(overrides), _name(overrides.items[skipped:]), limit) for overrides in parsed)
    return list(dict.fromkeys(fits))  # networks that differ only in rates need the same memory


def refuse_misfits(fits: Iterable[Fit], limit_mib: int | None) -> None:
    """Raise a ``UserError`` for the first network that does not fit on a trial's card."""
    for fit in fits:
        if fit.micro_batch is None:
            raise UserError(
                f"{fit.name} needs at least {fit.least_mib} MiB of GPU memory (predicted), but each trial has "
                f"{limit_mib} MiB. Use a smaller data.image_size, another model or encoder, or a smaller "
                "--trials-at-once."
            )


def _fit(config: Config, name: str, limit_mib: int) -> Fit:
    micro_batch = fitting_micro_batch(config, limit_mib)
    full = needed(predict_peak(config))
    least = needed(predict_peak(config, smallest_micro_batch(config))) if micro_batch is None else full
    return Fit(name, full, least, config.data.batch_size, micro_batch)


def _name(sampled: Sequence[Override]) -> str:
    """The overrides that decide what is built. Fractions are left out: they are rates and weights."""
    built = [item for item in sampled if item.key.startswith(BUILT) and not FRACTION.fullmatch(item.value or "")]
    return " ".join(map(str, built)) or "all networks"
