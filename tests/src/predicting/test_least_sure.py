"""The photographs to label next."""

import numpy as np

from src.predicting.least_sure import SHOWN, LeastSure

IMAGE = np.zeros((30, 40, 3), np.uint8)
MASK = np.zeros((30, 40), np.uint8)


def test_the_least_sure_are_kept_the_least_sure_first():
    kept = LeastSure()
    values = np.random.default_rng(0).permutation(40) / 40
    for value in values:
        kept.add(f"{value:.3f}", float(value), IMAGE, MASK)
    assert kept.names == [f"{value:.3f}" for value in sorted(values)[:SHOWN]]
    assert kept.picture().ndim == 3


def test_of_equally_sure_ones_the_first_come_first():
    kept = LeastSure()
    for name in "abc":
        kept.add(name, 0.5, IMAGE, MASK)
    assert kept.names == ["a", "b", "c"]
