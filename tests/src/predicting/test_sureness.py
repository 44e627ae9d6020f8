"""How sure a network is."""

import numpy as np
import pytest

from src.predicting.sureness import Sureness


def sure(probs: "np.ndarray[tuple[int, int], np.dtype[np.float32]]") -> float:
    found = Sureness()
    for rows in (slice(0, 7), slice(7, None)):
        found.add(probs[rows], (probs[rows] >= 0.5).astype(np.uint8))
    return found.value


def test_a_decided_network_is_sure_and_an_undecided_one_is_not():
    nothing = np.zeros((40, 50), np.float32)
    crack = nothing.copy()
    crack[20:23] = 1
    assert sure(nothing) == sure(crack) == 1
    faint = crack * 0.6
    fainter = crack * 0.4
    assert 0 < sure(fainter) < sure(faint) < 1


def test_with_true_probabilities_it_is_the_dice_coefficient_to_expect():
    random = np.random.default_rng(0)
    probs = random.beta(0.3, 2, (60, 80)).astype(np.float32)
    mask = probs >= 0.5
    dice = list[float]()
    for _ in range(200):
        truth = random.random(probs.shape) < probs
        dice.append(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))
    assert sure(probs) == pytest.approx(np.mean(dice), abs=0.01)
