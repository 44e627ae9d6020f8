"""What a network costs where it is used, and limits for that. This needs neither torch nor Ray."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from src.errors import UserError, unknown

PREFIX = "cost/"
"""Of the metrics with a trial's costs, as the ledger keeps them."""


@dataclass(frozen=True)
class Costs:
    """What it takes to predict one image of ``data.image_size`` with a network."""

    parameters: float
    """The number of weights."""
    milliseconds: float
    """Wall-clock time on the device of the trials, with as many threads as they have: the shortest of several."""
    peak_mib: float
    """MiB of tensors at the peak: the weights, the image, and what lies between. Libraries' own buffers come on top."""

    def __str__(self) -> str:
        return ", ".join(f"{name} {in_words(name, value)}" for name, value in asdict(self).items())

    def metrics(self) -> dict[str, float]:
        """As metrics of an epoch."""
        return {f"{PREFIX}{name}": value for name, value in asdict(self).items()}

    @classmethod
    def of(cls, metrics: Mapping[str, Any]) -> "Costs | None":
        """From the metrics of an epoch; None if it has none, as in older sweeps."""
        found = {name: metrics.get(f"{PREFIX}{name}") for name in COSTS}
        return None if None in found.values() else cls(**{name: float(value) for name, value in found.items()})  # type: ignore[arg-type]


COSTS = tuple(item.name for item in fields(Costs))


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The largest ``Costs`` that a trial may have; None: no limit. Above one it is skipped before it is trained."""

    parameters: float | None = None
    milliseconds: float | None = None
    peak_mib: float | None = None

    def __post_init__(self) -> None:
        for name, value in self.given.items():
            if type(value) not in (int, float) or not 0 < value < float("inf"):
                raise UserError(f"limits: {name}={value!r}: must be a number above 0.")

    @property
    def given(self) -> dict[str, float]:
        return {name: value for name, value in asdict(self).items() if value is not None}

    def __str__(self) -> str:
        return ", ".join(f"{name} <= {in_words(name, value)}" for name, value in self.given.items())

    def broken(self, costs: Costs) -> Iterator[str]:
        """Each limit that is broken: ``parameters 24,400,000 > 5,000,000``."""
        for name, most in self.given.items():
            if (value := getattr(costs, name)) > most:
                yield f"{name} {in_words(name, value)} > {in_words(name, most)}"


def read_limits(words: Iterable[str]) -> Limits:
    """Limits of a command line, such as ``milliseconds=30``."""
    given: dict[str, float] = {}
    for word in words:
        name, _, value = word.partition("=")
        if name not in COSTS:
            raise unknown("cost", name, COSTS)
        try:
            given[name] = float(value)
        except ValueError as error:
            raise UserError(f"{word}: the value must be a number.") from error
    return Limits(**given)


def in_words(name: str, value: float) -> str:
    """A cost as text."""
    return f"{value:,.0f}" if name == "parameters" else f"{value:.6g}"
