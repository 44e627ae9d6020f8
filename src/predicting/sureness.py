"""How sure a network is of a mask: the Dice coefficient that its own probabilities let one expect."""

import numpy as np

from src.data.files import Float32Array, UInt8Array

PRIOR = 1e-4
"""Share of a photograph that counts as found: so that a photograph without any crack is sure."""


class Sureness:
    """Sums over the rows of a photograph.

    With probabilities that are true, 2 * sum(p in the mask) / (sum(p) + pixels of the mask) is the expected numerator
    by the expected denominator of the Dice coefficient between the mask and the unknown truth. It is 1 where all
    probabilities are 0 or 1, and low where much is undecided.
    """

    def __init__(self) -> None:
        self.total = self.inside = 0.0
        self.found = self.pixels = 0

    def add(self, probs: Float32Array, mask: UInt8Array) -> None:
        """Rows of probabilities and of the mask in {0, 1}."""
        self.total += float(probs.sum(dtype=np.float64))
        self.inside += float(probs[mask > 0].sum(dtype=np.float64))
        self.found += int(mask.sum())
        self.pixels += probs.size

    @property
    def value(self) -> float:
        """From 0 to 1."""
        prior = PRIOR * self.pixels
        return (2 * self.inside + prior) / (self.total + self.found + prior)
