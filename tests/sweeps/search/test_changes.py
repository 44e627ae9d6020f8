"""Changes of points."""

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from sweeps.search.changes import KEEP_CHOICE, changed
from sweeps.search.encoding import Encoding

SPACE: dict[str, BaseDistribution] = {
    "x": FloatDistribution(0.0, 1.0),
    "y": FloatDistribution(0.0, 1.0),
    "kind": CategoricalDistribution(["a", "b", "c"]),
}
ENCODING = Encoding(SPACE)


def changes(chance: float, step: float, x: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    before = np.tile([x, 0.5, 1.0], (4000, 1))
    return before, changed(ENCODING, before, chance, step, np.random.default_rng(0))


def test_one_key_is_changed_by_a_step_where_there_is_no_chance_for_others():
    before, after = changes(0.0, 0.1)
    differ = after != before
    assert differ.sum(axis=1).max() == 1
    assert differ[:, 0].mean() > 0.3
    moved = after[differ[:, 0], 0] - 0.5
    assert abs(moved.std() - 0.1) < 0.01
    assert abs(moved.mean()) < 0.01


def test_a_choice_changes_to_any_other():
    _, after = changes(1.0, 0.1)
    shares = [(after[:, 2] == choice).mean() for choice in range(3)]
    others = (1 - KEEP_CHOICE) / 3
    assert np.allclose(shares, [others, others + KEEP_CHOICE, others], atol=0.03)


def test_a_number_comes_back_from_the_end_of_its_range():
    _, after = changes(1.0, 0.2, x=0.02)
    assert (after[:, 0] >= 0).all()
    assert (after[:, 0] < 0.001).mean() < 0.02  # it would be 0.46 if it stayed there
