"""What one trial may use: cores of this machine, and a share of its graphics card."""

from dataclasses import dataclass

from src.cores import available_cores
from src.errors import UserError


@dataclass(frozen=True)
class Resources:
    """The budget of one machine, cut into equal parts."""

    trials_at_once: int
    cores_per_trial: int
    gpus_per_trial: float
    """0 on a machine without a graphics card."""

    def __str__(self) -> str:
        return f"{self.gpus_per_trial:g} GPU" if self.gpus_per_trial else f"CPU cores: {self.cores_per_trial}"

    def as_ray(self) -> dict[str, float]:
        return {"cpu": self.cores_per_trial, "gpu": self.gpus_per_trial}

    def overrides(self) -> list[str]:
        """The thread count belongs to a trial's overrides: on a CPU the sums depend on it in the last bit."""
        return [] if self.gpus_per_trial else [f"threads={self.cores_per_trial}"]


def share_machine(trials_at_once: int | None, gpus: int, cores: int | None = None) -> Resources:
    """Resources of each of ``trials_at_once`` trials; None: one a GPU, or one a core, at most 4, without one.

    Small batches do not speed up much with threads, so on a CPU a trial a core does more than all cores on one trial;
    but with more than a few at once the search knows too little of the trials before.
    """
    cores = cores or available_cores()
    at_once = trials_at_once or gpus or min(4, cores)
    if gpus and at_once % gpus:
        raise UserError(f"trials_at_once={at_once}: must be a multiple of the {gpus} graphics cards they share.")
    return Resources(at_once, max(1, cores // at_once), gpus / at_once)
