"""Changes of points: a number by a normal step, a choice to any other."""

import numpy as np

from sweeps.search.encoding import Array, Encoding

KEEP_CHOICE = 0.1
"""The chance that a choice stays as it is although it may change."""


def changed(
    encoding: Encoding, vectors: Array, chance: float | Array, step: float, random: np.random.Generator
) -> Array:
    """Each vector (n, columns) with at least one key changed, and each other one with a ``chance``.

    ``step``: the standard deviation, as a share of a range. A number that would leave its range comes back from
    the end, and does not stay on it.
    """
    changes = random.random(vectors.shape) < chance
    changes[np.arange(len(vectors)), random.integers(vectors.shape[1], size=len(vectors))] = True
    moved = np.abs(vectors + step * random.normal(size=vectors.shape))
    moved = np.where(moved > 1, 2 - moved, moved)
    chosen = np.floor(random.random(vectors.shape) * encoding.counts)
    chosen = np.where(random.random(vectors.shape) < KEEP_CHOICE, vectors, chosen)
    return encoding.fitted(np.where(changes, np.where(encoding.is_choice, chosen, moved), vectors))
