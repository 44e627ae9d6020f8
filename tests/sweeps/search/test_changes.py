"""Changes of points."""

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from sweeps.search.changes import changed
from sweeps.search.encoding import NOT_THERE, Encoding

SPACE: dict[str, BaseDistribution] = {
    "x": FloatDistribution(0.0, 1.0),
    "y": FloatDistribution(0.0, 1.0),
    "kind": CategoricalDistribution(["a", "b", "c"]),
    "only": CategoricalDistribution(["a"]),
}
ENCODING = Encoding(SPACE)


def branching(trial: optuna.Trial) -> None:
    """The range of one key depends on the branch, and sgd has two keys of its own."""
    optimizer = trial.suggest_categorical("optimizer", ["adam", "sgd"])
    trial.suggest_float("lr", *((1e-5, 1e-3) if optimizer == "adam" else (1e-3, 1e-1)), log=True)
    if optimizer == "sgd":
        trial.suggest_float("momentum", 0.0, 1.0)
        trial.suggest_categorical("schedule", ["a", "b", "c", "d"])


BRANCHING = Encoding(branching)


def changes(chance: float, step: float, x: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    before = np.tile([x, 0.5, 1.0, 0.0], (4000, 1))
    return before, changed(ENCODING, before, chance, step, np.random.default_rng(0))


def test_one_key_that_has_other_values_is_changed_by_a_step_where_there_is_no_chance_for_others():
    before, after = changes(0.0, 0.1)
    differ = after != before
    assert (differ.sum(axis=1) == 1).all()
    assert differ[:, 0].mean() > 0.3
    moved = after[differ[:, 0], 0] - 0.5
    assert abs(moved.std() - 0.1) < 0.01
    assert abs(moved.mean()) < 0.01


def test_a_choice_changes_to_any_other():
    _, after = changes(1.0, 0.1)
    shares = [(after[:, 2] == choice).mean() for choice in range(3)]
    assert np.allclose(shares, [0.5, 0.0, 0.5], atol=0.03)


def test_a_number_comes_back_from_the_end_of_its_range():
    _, after = changes(1.0, 0.2, x=0.02)
    assert (after[:, 0] >= 0).all()
    assert (after[:, 0] < 0.001).mean() < 0.02  # it would be 0.46 if it stayed there


def after_one_change(optimizer: str) -> np.ndarray:
    point = {"optimizer": "adam", "lr": 1e-4}
    vector = BRANCHING.encode(point)
    assert vector is not None
    after = changed(BRANCHING, np.tile(vector, (4000, 1)), 0.0, 0.2, np.random.default_rng(0))
    return after[after[:, BRANCHING.index["optimizer"]] == (optimizer == "sgd")]


def test_a_number_whose_range_depends_on_the_branch_does_not_gather_at_the_ends():
    random = np.random.default_rng(0)
    rates = {
        name: [BRANCHING.decode(vector, random).params["lr"] for vector in after_one_change(name)]
        for name in ("adam", "sgd")
    }
    assert np.allclose(np.array(rates["sgd"], float), 1e-2)  # as far along its range as before
    assert len(set(rates["adam"])) == len(rates["adam"]) > 1000
    assert max(np.array(rates["adam"], float)) < 1e-3


def test_keys_that_a_change_makes_apply_are_drawn():
    opened = after_one_change("sgd")
    momentum, schedule = (opened[:, BRANCHING.index[key]] for key in ("momentum", "schedule"))
    assert abs(momentum.mean() - 0.5) < 0.05
    assert abs(momentum.std() - 12**-0.5) < 0.02
    assert np.bincount(schedule.astype(int)).min() > 0.2 * len(opened)
    stayed = after_one_change("adam")
    assert (stayed[:, BRANCHING.index["momentum"]] == NOT_THERE).all()
