"""What is believed before a search: good points are near the default, or near values of single keys.

Hvarfner et al. 2022 (piBO, arXiv 2204.11051): the improvement that a model expects is multiplied by a density to the
power ``STRENGTH / n`` after ``n`` trials, so that a wrong belief is overcome.

A range is drawn around what is expected, and a model that knows little expects the most at the ends of ranges, where it
knows least. So every number is a little likelier in the middle of its range, and this fades more slowly.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import logsumexp

from sweeps.search.encoding import MIDDLE, NOT_THERE, Array, Encoding
from sweeps.search.space import Choice

STRENGTH = 1.0
WIDTH = 0.35
"""Standard deviation of a number around the value that is believed in, as a share of its range."""
OTHER_CHOICE = 1.0
"""What another choice takes from the logarithm of the density."""
RANGE_STRENGTH = 0.5
"""After ``n`` trials the density around the middles of ranges has the power ``RANGE_STRENGTH / sqrt(n)``."""
RANGE_WIDTH = 0.25
USUAL = 1 / 12
"""The mean square of a random number's distance to the middle. A number that does not apply counts as so far from it,
so that a branch is not likelier for having fewer of them."""


class Prior:
    """A mixture of a bump around each point that is believed in, and a wide one around the middles of all ranges."""

    def __init__(self, encoding: Encoding, points: Sequence[Mapping[str, Choice]]) -> None:
        """``points`` may have some of the keys only, or none."""
        self.is_choice = encoding.is_choice
        self.centers = np.array([encoding.encode_keys(point) for point in points or ({},)])
        """(points, columns); NaN where nothing is believed."""

    def log_weight(self, vectors: Array, trials: int) -> Array:
        """The logarithm (n,), up to a constant, by which vectors (n, columns) are weighted after so many trials."""
        count = max(trials, 1)
        applies = vectors > NOT_THERE
        apart = np.where(applies[:, None], vectors[:, None] - self.centers[None], np.nan)
        cost = np.where(self.is_choice, OTHER_CHOICE * (apart != 0), apart**2 / (2 * WIDTH**2))
        believed = np.asarray(logsumexp(-np.where(np.isnan(apart), 0.0, cost).sum(axis=-1), axis=1))
        squares = np.where(applies, (vectors - MIDDLE) ** 2, USUAL)
        off_middle = np.where(self.is_choice, 0.0, squares / (2 * RANGE_WIDTH**2)).sum(axis=1)
        return STRENGTH / count * believed - RANGE_STRENGTH / math.sqrt(count) * off_middle
