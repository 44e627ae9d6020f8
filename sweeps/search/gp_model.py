"""The model of a sweep: a Gaussian process over the reports of all trials, and the point where it expects most.

A trial enters with its value at each rung where it was, plus the mean gain from there on of those that continued
(``sweeps.search.rung_values``). Failed trials count as the worst, at the end. The proposal has the highest expected
improvement, at the end and over the best value so far, of random points and of changes of good ones, most of which
change one key. No gradient leads it to the ends of ranges, where a model that knows little expects the most. What is
believed before the search weighs it at first (``sweeps.search.prior``).

Trials of another search, on other data, are in the model of a part of the proposals: the more pairs of our trials came
in the order that the other search expects of them, the larger the part.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sweeps.search.changes import changed
from sweeps.search.encoding import Encoding
from sweeps.search.gaussian_process import GaussianProcess, Reports, log_expected_improvement
from sweeps.search.prior import Prior
from sweeps.search.rung_values import best_and_latest, gains
from sweeps.search.space import Point, identity_of
from sweeps.search.trial import Trial, TrialState

Array = npt.NDArray[np.float64]

ROUNDING = 1e-9
"""Standard deviations below it are of values that are equal."""
STARTUP = 6
"""Trials with a value before there is a model."""
MODELLED = 150
"""The maximum number of reports in a model: the best half and the latest half. It limits a proposal to about 0.1 s."""
FAILURES = 0.25
"""The maximum share of failed trials among them, the latest ones."""
ELSEWHERE = 60
"""The maximum number of reports of another search in a model."""
PAIRS_BEFORE = 10
"""Before a pair of our trials is known, the other search counts as if it had been right of 3 in 4 of so many pairs."""
TYPICAL_WEIGHTS = (0.5, 4.0)
"""A key's weight is at first believed to be near a number from this range, drawn anew for each proposal: no one number
is right for all spaces. A small one leads to the ends of ranges, a large one stays near what is known."""
DRAWN = 1500
"""Random candidates."""
GOOD = 6
"""Trials whose neighbourhood is looked at, the best ones."""
CHANGED = 40
"""Candidates around each of them, at each of two distances."""
BEGIN_STEPS = (0.2, 0.05)
STEPS = (0.15, 0.08, 0.04, 0.02, 0.01)
"""Standard deviations of the changes of numbers, as shares of their ranges: at the beginning, and then around the best
candidates, again and again."""
KEPT, CHILDREN = 8, 25
"""The best candidates at each of these steps, and the changes of each."""
ONE_KEY = 0.6
"""The share of changes that change one key only."""
SEVERAL = 0.4
"""The chance of each key in the others."""


class Row(NamedTuple):
    """A report for the model."""

    value: float
    trial: Trial
    epoch: int


class Evidence(NamedTuple):
    """What a model knows, a row a report."""

    vectors: Array
    reports: Reports
    is_latest: npt.NDArray[np.bool_]
    """Whether no later report of its trial is there."""

    @property
    def best(self) -> float:
        """The highest report, even if its trial has not kept it up: the search looks further away then."""
        return float(self.reports.values.max())

    @property
    def good(self) -> Array:
        """The vectors of the highest reports."""
        return distinct(self.vectors[np.argsort(-self.reports.values)], GOOD)


class GPModel:
    """Proposes the point with the highest expected improvement (``sweeps.search.sampler.Model``)."""

    startup = STARTUP

    def __init__(self, encoding: Encoding, prior: Prior | None = None, elsewhere: Sequence[Trial] = ()) -> None:
        """``elsewhere``: trials of another search, with their values at the epochs of this one."""
        self.encoding = encoding
        self.prior = prior or Prior(encoding, ())
        self.elsewhere = self._evidence(elsewhere, ELSEWHERE)
        self.there = GaussianProcess(self.elsewhere.reports, encoding.is_unordered) if self.elsewhere else None

    def propose(self, trials: Sequence[Trial], random: np.random.Generator) -> Point | None:
        here = self._evidence(trials, MODELLED)
        if here is None:
            return None
        reports, good = here.reports, here.good
        if self.elsewhere and random.random() < self._agreement(here):
            good = np.vstack([good, self.elsewhere.good])
            reports = reports.beside(self.elsewhere.reports)
        typical = float(np.exp(random.uniform(*np.log(TYPICAL_WEIGHTS))))
        model, end = GaussianProcess(reports, self.encoding.is_unordered, typical), float(reports.log_epochs.max())
        running = [trial for trial in trials if trial.state == TrialState.RUNNING and not trial.values]
        encoded = [vector for trial in running if (vector := self.encoding.encode(trial.params)) is not None]
        if encoded:
            model.believe(self.encoding.points(np.array(encoded)), end)
        best, count = here.best, len(set(here.reports.trials))

        def improvement(candidates: Array) -> Array:
            mean, deviation = model.predict(self.encoding.points(candidates), end)
            weight = self.prior.log_weight(candidates, count)
            return log_expected_improvement(mean, deviation, best) + weight

        tried = {identity_of(trial.params) for trial in trials}
        points = (self.encoding.decode(vector, random) for vector in self._candidates(improvement, good, random))
        return next((point for point in points if identity_of(point.params) not in tried), None)

    def _candidates(self, improvement: Callable[[Array], Array], good: Array, random: np.random.Generator) -> Array:
        """Vectors by falling improvement: random ones, changes of good ones, and then smaller changes of the best."""
        near = [self._changed(good, CHANGED, step, random) for step in BEGIN_STEPS]
        candidates = np.vstack([self.encoding.drawn(DRAWN, random), *near])
        expected = improvement(candidates)
        for step in STEPS:
            top = np.argsort(-expected)[:KEPT]
            children = self._changed(candidates[top], CHILDREN, step, random)
            expected = np.concatenate([expected[top], improvement(children)])
            candidates = np.vstack([candidates[top], children])
        return candidates[np.argsort(-expected)]

    def _agreement(self, here: Evidence) -> float:
        """Kendall's tau between our trials and what the other search expects of them; 0.5 before a pair is known."""
        assert self.there
        vectors, values = here.vectors[here.is_latest], here.reports.values[here.is_latest]
        expected, _ = self.there.predict(self.encoding.points(vectors), float(here.reports.log_epochs.max()))
        order = np.sign(values[:, None] - values) * np.sign(expected[:, None] - expected)
        pairs = (order != 0).sum() / 2  # trials that came to the same say nothing
        return float(order.sum() / 2 + PAIRS_BEFORE / 2) / (pairs + PAIRS_BEFORE)

    def _evidence(self, trials: Sequence[Trial], most: int) -> Evidence | None:
        """At most so many reports, in the order of the trials; None if no trial has a value.

        Trials outside of a space that was changed later are left out.
        """
        scored = [trial for trial in trials if trial.values and not trial.is_infeasible]
        to_come = gains(scored)
        rows = [Row(value + to_come[epoch], trial, epoch) for trial in scored for epoch, value in trial.values.items()]
        failed = [trial for trial in trials if trial.is_infeasible][-round(FAILURES * most) :]
        rows = best_and_latest(rows, most - len(failed), itemgetter(0))
        # by identity: trials of another sweep have no number of their own
        vectors = {id(trial): self.encoding.encode(trial.params) for trial in [*(row.trial for row in rows), *failed]}
        rows = [row for row in rows if vectors[id(row.trial)] is not None]
        if not rows:
            return None
        values = standardised(np.array([row.value for row in rows]))
        rows = [row._replace(value=value) for row, value in zip(rows, values.tolist(), strict=True)]
        worst, end = float(values.min()), max(row.epoch for row in rows)
        rows += [Row(worst, trial, end) for trial in failed if vectors[id(trial)] is not None]
        points = np.array([vectors[id(row.trial)] for row in rows])
        latest = {id(row.trial): row.epoch for row in sorted(rows, key=lambda row: row.epoch)}
        place = {id(trial): number for number, trial in enumerate(trials)}
        reports = Reports(
            self.encoding.points(points),
            np.log([row.epoch for row in rows]),
            np.array([float(place[id(row.trial)]) for row in rows]),
            np.array([row.value for row in rows]),
            np.zeros(len(rows), bool),
        )
        return Evidence(points, reports, np.array([latest[id(row.trial)] == row.epoch for row in rows]))

    def _changed(self, vectors: Array, times: int, step: float, random: np.random.Generator) -> Array:
        """Changes of each vector: most of one key, others of several."""
        repeated = np.repeat(vectors, times, axis=0)
        chance = np.where(random.random((len(repeated), 1)) < ONE_KEY, 0.0, SEVERAL)
        return changed(self.encoding, repeated, chance, step, random)


def standardised(values: Array) -> Array:
    """With mean 0 and standard deviation 1; values that are equal become 0."""
    spread = float(values.std())
    return (values - values.mean()) / (spread if spread > ROUNDING else 1.0)


def distinct(vectors: Array, count: int) -> Array:
    """The first ``count`` vectors that differ."""
    _, first = np.unique(vectors, axis=0, return_index=True)
    return vectors[np.sort(first)[:count]]
