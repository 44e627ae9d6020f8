"""A race between configurations: decides which one is trained with which seed next, and drops clearly worse ones.

This follows F-Race (Birattari et al. 2002): every contender is trained with the first seed, then with the second, and
so on; with folds, on each fold with the first seed, and so on. A contender is dropped if it is significantly worse than
the leader (paired t test on validation, at 95 % for its comparisons after each block together), or if one of its
trainings failed. The default is never dropped, because all others are compared with it.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple, TypeVar

from scipy import stats

from analysis.retrain.contenders import DATA_ROOT, SEED, Contender
from analysis.retrain.folds import FOLDER as FOLDS
from sweeps.search.sampler import Proposal
from sweeps.search.trial import Origin, Trial, TrialState
from trainable.overrides import SWEEP

LEVEL = 0.95
K = TypeVar("K")


class Block(NamedTuple):
    """What a training of each contender has in common: the seed and the fold."""

    seed: int
    fold: str = ""
    """The name of the fold's folder; empty without folds."""

    def __str__(self) -> str:
        return f"seed {self.seed}{f' on fold {self.fold}' if self.fold else ''}"


class Race:
    """The sampler of a retraining: proposes each contender with each seed, and fold, until it is dropped."""

    def __init__(
        self, contenders: Sequence[Contender], default: str, seeds: Sequence[int], folds: Sequence[Path] = ()
    ) -> None:
        """``folds``: their data folders; none: all trainings have the data folder of the race."""
        self.contenders = {contender.trial: contender for contender in contenders}
        self.default = default
        self.folds = {fold.name: fold for fold in folds}
        self.blocks = [Block(seed, fold) for seed in seeds for fold in self.folds or ("",)]

    def propose(self, number: int, trials: Sequence[Trial]) -> Proposal | None:
        begun = {(self.contender_of(trial), block_of(trial)) for trial in trials}
        out = self.dropped(trials)
        for block in self.blocks:
            for name, contender in self.contenders.items():
                if name not in out and (name, block) not in begun:
                    data = {DATA_ROOT: f"{SWEEP}/{FOLDS}/{block.fold}"} if block.fold else {}
                    return Proposal({**contender.params, SEED: block.seed, **data}, Origin.SEED)
        return None

    def contender_of(self, trial: Trial) -> str:
        """The name of the contender that this trial trains."""
        common = {SEED, DATA_ROOT} if self.folds else {SEED}
        params = {key: value for key, value in trial.params.items() if key not in common}
        return next(name for name, contender in self.contenders.items() if same_params(contender.params, params))

    def label(self, trial: Trial) -> str:
        """What a training is called: the trial of the sweep that it repeats, and with which seed and fold."""
        name = self.contender_of(trial)
        return f"{name}{' (default)' if name == self.default else ''}, {block_of(trial)},"

    def dropped(self, trials: Sequence[Trial]) -> dict[str, str]:
        """The dropped contenders, with the reasons."""
        scores: dict[str, dict[Block, float]] = {name: {} for name in self.contenders}
        failed: dict[str, str] = {}
        for trial in trials:
            if trial.state == TrialState.COMPLETE and trial.score is not None:
                scores[self.contender_of(trial)][block_of(trial)] = trial.score
            elif trial.state == TrialState.FAILED:
                failed[self.contender_of(trial)] = f"failed with {block_of(trial)}: {trial.reason}"
        # one that breaks a limit is not to be chosen, so it drops nobody out
        full = max((len(found) for name, found in scores.items() if not self.contenders[name].broken), default=0)
        leader = max(
            (
                name
                for name, found in scores.items()
                if len(found) == full and name not in failed and not self.contenders[name].broken
            ),
            key=lambda name: fmean(scores[name].values()) if scores[name] else 0.0,
            default=None,
        )
        comparisons = max(1, len(self.blocks) - 1)
        unit = "folds" if self.folds else "seeds"
        worse = {
            name: f"was significantly worse than {leader} after {len(found)} {unit}"
            for name, found in scores.items()
            if leader is not None and name != leader and is_clearly_worse(found, scores[leader], comparisons)
        }
        return {name: why for name, why in (worse | failed).items() if name != self.default}


def block_of(trial: Trial) -> Block:
    """The seed and fold of a training. A fold is known by its folder's name."""
    return Block(trial.params[SEED], Path(trial.params.get(DATA_ROOT, "")).name)


def is_clearly_worse(scores: Mapping[K, float], leading: Mapping[K, float], comparisons: int) -> bool:
    """Whether ``scores`` are significantly below ``leading``, by a paired t test on the common blocks.

    The test is repeated after each block. With all ``comparisons`` together, an equal contender should survive at 95 %
    (Bonferroni).
    """
    differences = [scores[block] - leading[block] for block in scores if block in leading]
    if len(differences) < 2:
        return False
    count = len(differences)
    margin = float(stats.t.ppf(1 - (1 - LEVEL) / comparisons / 2, count - 1)) * stdev(differences) / count**0.5
    return fmean(differences) + margin < 0


def same_params(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
