"""Asynchronous Hyperband: several brackets of successive halving over the same rungs, each with another first rung.

Hyperband: Li et al. 2018, JMLR 18(185). Asynchronous brackets: Li et al. 2020, arXiv 1810.05934, section 3.3.
A trial whose curve rises late is lost at an early rung; the brackets that begin later give some trials more epochs
before the first decision, and the last one trains its trials to the end. Each bracket gets its share of the
trials by Hyperband's n = ceil((s_max + 1) / (s_max - s + 1) * eta^(s_max - s)).
"""

from collections import Counter
from dataclasses import dataclass

from sweeps.search.asha import Asha, SuccessiveHalving
from sweeps.search.scheduler import Decision


@dataclass(frozen=True, kw_only=True)
class Hyperband(Asha):
    """Settings of asynchronous Hyperband: those of its first bracket, which is ``Asha`` with the same settings."""

    @property
    def described(self) -> str:
        return f"{super().described}, {len(self.brackets())} brackets"

    def build(self) -> "Brackets":  # type: ignore[override]
        return Brackets(self)

    def brackets(self) -> list[Asha]:
        """The settings of each bracket; the last one has no rungs.

        A rung that is nearer to the end than half a step (the root of the reduction factor) begins no bracket, as that
        would be almost the last one again.
        """
        firsts = [rung for rung in self.rungs if rung * self.reduction_factor**0.5 <= self.max_epochs]
        return [
            Asha(
                grace_period=first,
                reduction_factor=self.reduction_factor,
                max_epochs=self.max_epochs,
                variant=self.variant,
            )
            for first in (*firsts, self.max_epochs)
        ]

    def shares(self) -> list[int]:
        """The trials of each bracket in Hyperband's own numbers: n of table 1, which are shares here."""
        s_max = len(self.brackets()) - 1
        return [-(-(s_max + 1) * self.reduction_factor**s // (s + 1)) for s in range(s_max, -1, -1)]


class Brackets:
    """The brackets of one search, and which of its trials is in which (``sweeps.search.scheduler.Scheduler``)."""

    def __init__(self, settings: Hyperband) -> None:
        self.settings = settings
        self.brackets = [SuccessiveHalving(bracket) for bracket in settings.brackets()]
        self.shares = settings.shares()
        self.bracket_of: dict[str, int] = {}

    @property
    def running(self) -> set[str]:
        return {trial for bracket in self.brackets for trial in bracket.running}

    @property
    def paused(self) -> list[str]:
        return [trial for bracket in self.brackets for trial in bracket.paused]

    def start(self, trial: str, to_end: bool = False) -> None:
        """Put a new trial into the bracket that is furthest behind its share.

        Of equal ones it is the first, so the first trials go to one bracket each, one of them to the last.
        """
        counts = Counter(self.bracket_of.values())
        filled = [counts[number] / share for number, share in enumerate(self.shares)]
        self.bracket_of[trial] = filled.index(min(filled))
        self._of(trial).start(trial, to_end)

    def report(self, trial: str, epoch: int, value: float) -> Decision:
        """Decided within the trial's bracket, although another bracket may have a trial at a higher rung."""
        return self._of(trial).report(trial, epoch, value)

    def next(self, no_new_trials: bool = False) -> str | None:
        """The trial of the highest rung that may pass, in the first bracket that has one there."""
        found = [place for bracket in self.brackets if (place := bracket.promotable())]
        if not found and no_new_trials:
            begun = any(one.has_climbers for one in self.brackets)
            least = SuccessiveHalving.soon_promotable if begun else SuccessiveHalving.best_paused
            found = [place for bracket in self.brackets if (place := least(bracket))]
        return max(found, key=lambda place: place.rung).trial if found else None

    def resume(self, trial: str) -> None:
        self._of(trial).resume(trial)

    def end(self, trial: str, complete: bool = False) -> None:
        self._of(trial).end(trial, complete)

    def withdraw(self, trial: str) -> None:
        self._of(trial).withdraw(trial)
        del self.bracket_of[trial]  # its place in the bracket is free

    def _of(self, trial: str) -> SuccessiveHalving:
        return self.brackets[self.bracket_of[trial]]
