"""Confidence intervals, over seeds and images, of the score of trained networks and of the difference between two.

A score has two sources of chance: the seeds of the trainings, and the choice of photographs in the split. A user who
trains the same configuration has other seeds and other photographs, so the interval includes both variances:

- of the mean over seeds, ``s**2 / m``;
- of the same mean over images, by leaving out one group of images at a time (the jackknife; Efron and Stein 1981): the
  tiles of one photograph are nearly the same image, and count as one.

With folds (``retrain-best --folds``) one fold is left out at a time instead: its images have the network in common, so
that variance includes the trainings', and the seeds are no further source.

Their sum gives a t interval with Satterthwaite's (1946) degrees of freedom. Two configurations are compared seed by
seed on the same images, so common effects cancel. A bootstrap of five seeds and a few dozen images would be too narrow
(docs/decisions/0008).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

Float64Array = npt.NDArray[np.float64]

LEVEL = 0.95
MOST_SEEDS = 200


@dataclass(frozen=True)
class Scored:
    """The test results of one configuration: the numerator and denominator of its metric for each seed and image.

    Both are summed over images, and then divided.
    """

    parts: Float64Array
    """(seeds, images, 2)."""
    groups: Sequence[str]
    """The group of each image."""
    by_fold: bool = False
    """Whether the groups are folds, each scored by networks of its own."""

    def over(self, chosen: Float64Array) -> Float64Array:
        """Scores on subsets of the images, shape (choices, seeds); ``chosen`` has the shape (choices, images).

        A subset with a denominator of 0 has the score 1.
        """
        sums = np.einsum("ci,sip->csp", chosen, self.parts)
        return np.divide(sums[..., 0], sums[..., 1], out=np.ones(sums.shape[:2]), where=sums[..., 1] > 0)

    @property
    def scores(self) -> Float64Array:
        """(seeds,): each seed's score on the split."""
        return self.over(np.ones((1, self.parts.shape[1])))[0]

    @property
    def without_a_group(self) -> Float64Array:
        """(groups,): the mean over the seeds on all images but those of one group."""
        names = np.array(self.groups)
        return self.over((names != np.unique(names)[:, None]).astype(np.float64)).mean(axis=1)


@dataclass(frozen=True)
class Interval:
    """A mean over seeds and its confidence interval; nan where there is only one seed."""

    mean: float
    seeds: int
    sd: float
    """Standard deviation over the seeds; 0 where they are no source of chance of their own: of given networks, and with
    folds."""
    groups: int
    images_sd: float
    """Standard error from the limited number of images. More seeds do not reduce it."""
    by_fold: bool = False
    """Whether the groups are folds; then ``images_sd`` includes the chance of the trainings."""

    @property
    def is_defined(self) -> bool:
        """Whether the interval can be computed: it needs two seeds, if they are a source, and two groups of images."""
        return (self.seeds > 1 or self.sd == 0) and self.groups > 1

    def half_width(self, seeds: int | None = None) -> float:
        """Half the width of the 95 % interval; with ``seeds``, its expected value for that number of seeds."""
        count = seeds or self.seeds
        if not self.is_defined:
            return float("nan")
        of_seeds, of_images = self.sd**2 / count, self.images_sd**2
        total = of_seeds + of_images
        if total == 0:
            return 0.0
        freedom = total**2 / (of_seeds**2 / max(count - 1, 1) + of_images**2 / (self.groups - 1))
        return float(stats.t.ppf((1 + LEVEL) / 2, freedom) * np.sqrt(total))

    @property
    def low(self) -> float:
        return self.mean - self.half_width()

    @property
    def high(self) -> float:
        return self.mean + self.half_width()

    @property
    def seeds_needed(self) -> int | None:
        """The total number of seeds with which a difference of this size would be significant.

        None: no number of seeds is enough, because there are too few images; with folds it is not known.
        """
        enough = (seeds for seeds in range(self.seeds + 1, MOST_SEEDS + 1) if self.half_width(seeds) < abs(self.mean))
        return next(enough, None)


def interval(one: Scored, other: Scored | None = None) -> Interval:
    """The interval of the mean of ``one``, or of its difference to ``other``, which has the same seeds and images."""
    scores, without = one.scores, one.without_a_group
    if other is not None:
        scores, without = scores - other.scores, without - other.without_a_group
    seeds, groups = len(scores), len(without)
    sd = 0.0 if one.by_fold else float(scores.std(ddof=1)) if seeds > 1 else float("nan")
    images_sd = float(np.sqrt((groups - 1) * without.var()))
    return Interval(float(scores.mean()), seeds, sd, groups, images_sd, one.by_fold)


def interval_over_images(one: Scored, other: Scored) -> Interval:
    """The interval of the difference of two given networks, each the one seed of its scores, on the same images.

    The seeds are no source of chance: these networks are used, not others that are trained like them.
    """
    found = interval(one, other)
    return Interval(found.mean, 1, 0.0, found.groups, found.images_sd)
