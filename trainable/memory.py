"""Whether the trainings of a sweep fit on its graphics cards, before any is started."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import yaml
from src.memory import fitting_micro_batch, needed, predict_peak

from src.config import Config, load_config
from src.device import smallest_micro_batch
from src.errors import UserError
from trainable.resources import Resources


@dataclass(frozen=True)
class Fit:
    """A network of a space on the card of a trial."""

    name: str
    """Its sampled overrides that decide what is built."""
    needed_mib: int
    """Predicted, with the whole batch at once."""
    batch_size: int
    micro_batch: int
    """Images at once that fit; below ``batch_size``, batches will be halved."""

    @property
    def halved(self) -> bool:
        return self.micro_batch < self.batch_size

    def __str__(self) -> str:
        fate = f"; batches of {self.batch_size} will be halved to {self.micro_batch} at once" if self.halved else ""
        return f"{self.name}: {self.needed_mib} MiB{fate}"


def fit_networks(networks: Iterable[Sequence[str]], resources: Resources, fixed: Sequence[str]) -> list[Fit]:
    """How each network, a list of overrides that begins with ``fixed``, fits on the card of a trial.

    One that does not, with as few images at once as it can learn from, is a ``UserError``. Without a card there is
    nothing to fit on.
    """
    limit = resources.share_mib
    if limit is None:
        return []
    return [_fit(load_config(overrides), _name(overrides[len(fixed) :]), limit) for overrides in networks]


def _fit(config: Config, name: str, limit_mib: int) -> Fit:
    micro_batch = fitting_micro_batch(config, limit_mib)
    if micro_batch is None:
        smallest = smallest_micro_batch(config)
        least = needed(predict_peak(config, smallest))
        raise UserError(
            f"{name}: by prediction it needs {least} MiB of a graphics card with micro-batches of {smallest}, and a "
            f"trial has {limit_mib}. A smaller data.image_size, another model or encoder needs less; fewer trials at "
            "once have more."
        )
    full = needed(predict_peak(config))
    return Fit(name, full, config.data.batch_size, micro_batch)


def _name(sampled: Sequence[str]) -> str:
    """The overrides that are no fractions: rates and weights do not change what is built."""
    words = [word for word in sampled if not isinstance(yaml.safe_load(word.partition("=")[2]), float)]
    return " ".join(words) or "the network"
