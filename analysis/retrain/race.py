"""A race between configurations: decides which one is trained with which seed next, and drops clearly worse ones.

This follows F-Race (Birattari et al. 2002): every contender is trained with the first seed, then with the second, and
so on. A contender is dropped if it is significantly worse than the leader (paired t test on validation, at 95 % for its
comparisons after each seed together), or if one of its trainings failed. The default is never dropped, because all
others are compared with it.
"""

import json
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from scipy import stats

from analysis.retrain.contenders import SEED, Contender
from sweeps.search.sampler import Proposal
from sweeps.search.trial import Origin, Trial, TrialState

LEVEL = 0.95


class Race:
    """The sampler of a retraining: proposes each contender with each seed until it is dropped."""

    def __init__(self, contenders: Sequence[Contender], default: str, seeds: Sequence[int]) -> None:
        self.contenders = {contender.trial: contender for contender in contenders}
        self.default, self.seeds = default, list(seeds)

    def propose(self, number: int, trials: Sequence[Trial]) -> Proposal | None:
        begun = {(self.contender_of(trial), trial.params[SEED]) for trial in trials}
        out = self.dropped(trials)
        for seed in self.seeds:
            for name, contender in self.contenders.items():
                if name not in out and (name, seed) not in begun:
                    return Proposal({**contender.params, SEED: seed}, Origin.SEED)
        return None

    def contender_of(self, trial: Trial) -> str:
        """The name of the contender that this trial trains."""
        params = {key: value for key, value in trial.params.items() if key != SEED}
        return next(name for name, contender in self.contenders.items() if same_params(contender.params, params))

    def dropped(self, trials: Sequence[Trial]) -> dict[str, str]:
        """The dropped contenders, with the reasons."""
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
        comparisons = max(1, len(self.seeds) - 1)
        worse = {
            name: f"was significantly worse than {leader} after {len(found)} seeds"
            for name, found in scores.items()
            if leader is not None and name != leader and is_clearly_worse(found, scores[leader], comparisons)
        }
        return {name: why for name, why in (worse | failed).items() if name != self.default}


def is_clearly_worse(scores: Mapping[int, float], leading: Mapping[int, float], comparisons: int) -> bool:
    """Whether ``scores`` are significantly below ``leading``, by a paired t test on the common seeds.

    The test is repeated after each seed. With all ``comparisons`` together, an equal contender should survive at 95 %
    (Bonferroni).
    """
    differences = [scores[seed] - leading[seed] for seed in scores if seed in leading]
    if len(differences) < 2:
        return False
    count = len(differences)
    margin = float(stats.t.ppf(1 - (1 - LEVEL) / comparisons / 2, count - 1)) * stdev(differences) / count**0.5
    return fmean(differences) + margin < 0


def same_params(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
