"""The mean of a configuration's networks beside the best one of them, on the same test images (``--ensemble``)."""

import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.intervals import Interval, Scored, interval_over_images
from analysis.retrain.retraining import Retraining, best_checkpoint, count_on_test
from analysis.verdict import Run, interval_text
from src.models.checkpoint import link_checkpoint

FOLDER = "ensemble"
"""The folder of a retraining that has the networks as SEED.pth."""


@dataclass(frozen=True)
class EnsembleResult:
    """What the mean of several networks scores."""

    contender: str
    checkpoints: Sequence[Path]
    threshold: float
    """The best one of the mean on validation."""
    single: float
    """Test score of the network that is the best on validation."""
    gain: Interval
    """Test score of the mean minus that of this network, over images."""

    @property
    def score(self) -> float:
        return self.single + self.gain.mean

    @property
    def sentences(self) -> list[str]:
        """Whether the mean is better, and the command that uses it."""
        count, gain = len(self.checkpoints), self.gain
        scores = f"{self.score:.4f} on the test split and the best of them on validation {self.single:.4f}"
        size = f"{gain.mean:+.4f} {interval_text(gain)}, over photographs"
        found = f"The mean of the {count} networks of {self.contender} has {scores}: {size}."
        if not (gain.is_defined and gain.low > 0):
            worse = gain.is_defined and gain.high < 0
            return [found, "One network is better." if worse else f"One network, {count} times as fast, is as good."]
        command = f"python -m src.predict {shlex.quote(str(self.checkpoints[0].parent))}/*.pth PHOTOS"
        return [found, f"It takes {count} times as long: {command} --threshold {self.threshold:.3f}"]

    def content(self) -> dict[str, Any]:
        """For ``verdict.json``; plain types."""
        ends = [self.gain.low, self.gain.high] if self.gain.is_defined else None
        return {
            "configuration": self.contender,
            "networks": len(self.checkpoints),
            "threshold": self.threshold,
            "score": self.score,
            "score_of_best_network": self.single,
            "interval_of_gain": ends,
        }


def compare_ensemble(retraining: Retraining, runs: Sequence[Run], best: Run) -> EnsembleResult | None:
    """Link the networks of the best run's configuration into ``ensemble/`` and score their mean on the test split.

    None if the configuration has only this network.
    """
    plan = retraining.plan
    members = sorted((run for run in runs if run.contender == best.contender), key=lambda run: run.seed)
    if len(members) < 2:
        return None
    checkpoints = link_members(plan.folder, members)
    counts = count_on_test(plan, checkpoints, plan.config.data.root)
    mean, single = (Scored(np.stack([parts]), counts.groups) for parts in (counts.parts(plan.spec.metric), best.parts))
    gain = interval_over_images(mean, single)
    return EnsembleResult(best.contender, checkpoints, counts.threshold, float(single.scores[0]), gain)


def link_members(folder: Path, members: Sequence[Run]) -> list[Path]:
    """The networks as ``ensemble/SEED.pth``; those of an earlier verdict are removed."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    checkpoints = [folder / FOLDER / f"{run.seed}.pth" for run in members]
    for run, checkpoint in zip(members, checkpoints, strict=True):
        checkpoint.parent.mkdir(exist_ok=True)
        link_checkpoint(best_checkpoint(folder / run.folder), checkpoint)
    return checkpoints
