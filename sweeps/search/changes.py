"""Changes of points: a number by a normal step, a choice to any other."""

import numpy as np

from sweeps.search.encoding import NOT_THERE, Array, Encoding


def changed(
    encoding: Encoding, vectors: Array, chance: float | Array, step: float, random: np.random.Generator
) -> Array:
    """Each vector (n, columns) with at least one key changed, and each other one with a ``chance``.

    ``step``: the standard deviation, as a share of a range. A number that would leave its range comes back from
    the end, and does not stay on it. A key that a change makes apply is drawn.
    """
    applies = vectors > NOT_THERE
    can_change = applies & encoding.can_change
    changes = random.random(vectors.shape) < chance
    one = np.argmax(can_change * random.random(vectors.shape), axis=1)
    changes[np.arange(len(vectors)), one] = True
    moved = np.abs((vectors + step * random.normal(size=vectors.shape) + 1) % 2 - 1)
    further = 1 + np.floor(random.random(vectors.shape) * (encoding.counts - 1))
    other = (vectors + further) % np.maximum(encoding.counts, 1)
    new = np.where(changes & can_change, np.where(encoding.is_choice, other, moved), vectors)
    return encoding.fitted(np.where(applies, new, encoding.places(len(vectors), random)))
