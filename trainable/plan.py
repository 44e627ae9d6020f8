"""What all trials of a sweep share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from src.config.overrides import Overrides
from trainable.limits import Limits


@dataclass(frozen=True)
class TrialPlan:
    """The settings that all trials of a sweep share."""

    sweep_dir: Path
    fixed: Overrides
    """Overrides before the sampled ones."""
    metric: str
    """The metric that the search maximises. TensorBoard shows it next to the parameters."""
    example_values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Every key that a trial may have, each with a possible value. In a conditional space no trial has all keys."""
    rungs: tuple[int, ...] = ()
    """Epochs after which a trial may be stopped. Its checkpoint is on the disk before it reports one of them."""
    trials_per_card: int = 0
    """0 without a graphics card."""
    card_free_mib: int = 0
    """Free memory of each card when the sweep was planned."""
    memory_limit_mib: int | None = None
    """Limit for the tensors of a trial that shares its card, so that no trial can take another's memory. None: none."""
    limits: Limits | None = None
    """A trial that breaks one is skipped."""
    import_at_once: bool = False
    """Whether a process imports what trials need when it starts. On one machine Ray has let it do so before."""
    hang_seconds: float = 1800.0
    """The trial's process ends itself after so long without a training step."""
