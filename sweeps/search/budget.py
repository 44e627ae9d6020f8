"""The budget of a sweep: trials, epochs, hours, cores, graphics cards and disk."""

from dataclasses import dataclass
from typing import Literal, cast

from src.errors import UserError

MOST_AT_ONCE = 64
"""Trials: each is a process of some hundred MiB."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The limits of what a sweep may use on this machine."""

    trials: int
    trials_at_once: int | Literal["auto"] | None = None
    """None: one per graphics card; without a card, one per core, at most 4. ``auto``: measured (``sweeps.packing``)."""
    gpus: int | None = None
    """Graphics cards to use. None: all that torch can use here; without one the budget is the cores."""
    epochs: int | None = None
    """Of all trials together. None: as many as the trials need."""
    hours: float | None = None
    """Wall clock of a session. None: until all trials are done."""
    stop_when_converged: bool = False
    """Start no more trials when the last ones have not been better (``sweeps.search.study`` has the numbers)."""
    hang_minutes: float = 30.0
    """A trial that makes no step for so long is ended, and tried once more."""
    checkpoints_gib: float = 20.0
    """Disk for checkpoints; above it those of the worst trials are deleted."""

    def __post_init__(self) -> None:
        if isinstance(self.trials_at_once, str) and self.trials_at_once != "auto":
            raise UserError(f"trials_at_once={self.trials_at_once}: must be a number or auto.")
        for name in ("trials", "gpus", "epochs", "hours", "hang_minutes", "checkpoints_gib"):
            value = cast(float | None, getattr(self, name))
            if value is not None and not value > 0:  # NaN neither
                raise UserError(f"{name}={value}: must be above 0.")
        number = self.number_at_once
        if number is not None and not 0 < number <= MOST_AT_ONCE:
            raise UserError(f"trials_at_once={number}: must be above 0 and at most {MOST_AT_ONCE}, or auto.")

    @property
    def number_at_once(self) -> int | None:
        """``trials_at_once`` if it is a number."""
        return None if self.trials_at_once == "auto" else self.trials_at_once
