"""Decides which configuration is trained with which seed next: contenders take turns, and hopeless ones drop out.

A race in the sense of F-Race (Birattari et al. 2002): every contender has the first seed, then every one the second.
One that is worse than the leader by more than seeds explain (a paired t test on validation, at 95 % for all looks
together) gets no more seeds, nor does one whose training has failed. The default stays, whatever it does: the answer
is about it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from scipy import stats

from sweeps.search.sampler import Proposal
from sweeps.search.trial import Origin, Trial, TrialState

LEVEL = 0.95
SEED = "seed"


@dataclass(frozen=True)
class Contender:
    """A configuration that is trained again."""

    trial: str
    """Its name in the sweep."""
    params: Mapping[str, Any]
    score: float | None
    """Its score in the search, by the metric of the race."""
    epochs: int = 0
    """How long the search has trained it; 0: not known."""


class Race:
    """The sampler of a retraining: each contender with each seed, as long as it has a chance."""

    def __init__(self, contenders: Sequence[Contender], default: str, seeds: Sequence[int]) -> None:
        self.contenders = {contender.trial: contender for contender in contenders}
        self.default, self.seeds = default, list(seeds)

    def propose(self, number: int, trials: Sequence[Trial]) -> Proposal | None:
        begun = {(self.contender_of(trial), trial.params[SEED]) for trial in trials}
        out = self.out(trials)
        for seed in self.seeds:
            for name, contender in self.contenders.items():
                if name not in out and (name, seed) not in begun:
                    return Proposal({**contender.params, SEED: seed}, Origin.SEED)
        return None

    def contender_of(self, trial: Trial) -> str:
        """Whose training this is."""
        params = {key: value for key, value in trial.params.items() if key != SEED}
        return next(name for name, contender in self.contenders.items() if same(contender.params, params))

    def out(self, trials: Sequence[Trial]) -> dict[str, str]:
        """Contenders that get no more seeds, and why."""
        scores: dict[str, dict[int, float]] = {name: {} for name in self.contenders}
        failed: dict[str, str] = {}
        for trial in trials:
            if trial.state == TrialState.COMPLETE and trial.score is not None:
                scores[self.contender_of(trial)][trial.params[SEED]] = trial.score
            elif trial.state == TrialState.FAILED:
                failed[self.contender_of(trial)] = f"failed with seed {trial.params[SEED]}: {trial.reason}"
        full = max(len(found) for found in scores.values())
        leader = max(
            (name for name in scores if len(scores[name]) == full and name not in failed),
            key=lambda name: fmean(scores[name].values()) if scores[name] else 0.0,
            default=None,
        )
        looks = max(1, len(self.seeds) - 1)
        worse = {
            name: f"was worse than {leader} by more than seeds explain, after {len(found)}"
            for name, found in scores.items()
            if leader is not None and name != leader and hopeless(found, scores[leader], looks)
        }
        return {name: why for name, why in (worse | failed).items() if name != self.default}


def hopeless(scores: Mapping[int, float], leading: Mapping[int, float], looks: int) -> bool:
    """Whether one is below the other by more than the differences of the same seeds explain.

    There are so many ``looks``, a seed more each, and an equal one should survive all of them (Bonferroni).
    """
    differences = [scores[seed] - leading[seed] for seed in scores if seed in leading]
    if len(differences) < 2:
        return False
    count = len(differences)
    margin = float(stats.t.ppf(1 - (1 - LEVEL) / looks / 2, count - 1)) * stdev(differences) / count**0.5
    return fmean(differences) + margin < 0


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
