"""What is believed before a search: good points are near the default, or near values of single keys.

Hvarfner et al. 2022 (piBO, arXiv 2204.11051): the improvement that a model expects is multiplied by a density to the
power ``STRENGTH / n`` after ``n`` trials, so that a wrong belief is overcome. A number of which nothing is believed is
a little likelier in the middle of its range than at its ends: a range is drawn around what is expected.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import logsumexp

from sweeps.search.encoding import MIDDLE, Array, Encoding
from sweeps.search.space import Choice

STRENGTH = 1.0
WIDTH = 0.35
"""Standard deviation of a number around the value that is believed in, as a share of its range."""
RANGE_WIDTH = 0.25
"""The same around the middle of a range, if nothing else is believed."""
OTHER_CHOICE = 1.0
"""What another choice takes from the logarithm of the density."""


class Prior:
    """A mixture of a bump around each point that is believed in."""

    def __init__(self, encoding: Encoding, points: Sequence[Mapping[str, Choice]]) -> None:
        """``points`` may have some of the keys only, or none."""
        self.is_choice = encoding.is_choice
        given = np.array([encoding.encode_keys(point) for point in points or ({},)])
        self.widths = np.where(np.isnan(given), RANGE_WIDTH, WIDTH)
        self.centers = np.where(np.isnan(given) & ~self.is_choice, MIDDLE, given)
        """(points, columns); NaN where any choice is as good as another."""

    def log_weight(self, vectors: Array, trials: int) -> Array:
        """The logarithm (n,), up to a constant, by which vectors (n, columns) are weighted after so many trials."""
        apart = vectors[:, None, :] - self.centers[None]
        cost = np.where(self.is_choice, OTHER_CHOICE * (apart != 0), apart**2 / (2 * self.widths**2))
        cost = np.where(np.isnan(apart), 0.0, cost)
        return STRENGTH / max(trials, 1) * logsumexp(-cost.sum(axis=-1), axis=1)
