"""The Gaussian process over reports at several epochs."""

import math

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.optimize import approx_fprime

from sweeps.search.gaussian_process import GaussianProcess, Reports, log_expected_improvement

NO_CHOICES = np.array([False, False])
END = math.log(9)
HERE = np.zeros(4, bool)


def reports(count: int = 12, seed: int = 0) -> Reports:
    """Two numbers of which the first decides; each trial at epoch 3, and every other one at 9 too."""
    random = np.random.default_rng(seed)
    points, epochs, trials, values = [], [], [], []
    for trial in range(count):
        point = random.random(2)
        for epoch in (3, 9)[: 1 + trial % 2]:
            points.append(point)
            epochs.append(math.log(epoch))
            trials.append(trial)
            values.append(-((point[0] - 0.3) ** 2) * 5 + 0.02 * random.normal())
    values = np.array(values)
    here = np.zeros(len(values), bool)
    return Reports(np.array(points), np.array(epochs), np.array(trials), (values - values.mean()) / values.std(), here)


@pytest.mark.parametrize("elsewhere", [0, 9])
def test_the_gradient_is_that_of_the_loss(elsewhere: int):
    known = reports()
    model = GaussianProcess(known._replace(elsewhere=np.arange(len(known.values)) < elsewhere), NO_CHOICES)
    for seed in range(5):
        logs = model.center + 0.5 * model.spread * np.random.default_rng(seed).normal(size=len(model.center))
        _, gradient = model._loss(logs)
        numeric = approx_fprime(logs, lambda at: model._loss(at)[0], 1e-6)
        assert gradient == pytest.approx(numeric, rel=1e-3, abs=1e-3)


def test_it_learns_which_number_matters_and_what_comes_of_it():
    model = GaussianProcess(reports(24), NO_CHOICES)
    assert model.weights[0] > 3 * model.weights[1]
    mean, deviation = model.predict(np.array([[0.3, 0.5], [0.95, 0.5]]), END)
    assert mean[0] > mean[1] + 1
    assert (deviation < 0.7).all()


def test_it_is_less_sure_far_from_all_reports_than_among_them():
    known = reports()
    model = GaussianProcess(known, NO_CHOICES)
    _, deviation = model.predict(np.array([known.points[0], [3.0, -2.0]]), END)
    assert deviation[0] < deviation[1]


def test_choices_that_differ_are_equally_far_apart():
    points = np.array([[0.0, 0.2], [1.0, 0.2], [2.0, 0.2], [0.0, 0.4]])
    known = Reports(points, np.full(4, END), np.arange(4.0), np.array([1.0, -1.0, 0.5, 0.7]), HERE)
    model = GaussianProcess(known, np.array([True, False]))
    between = model._between(points, END)
    assert between[0, 1] == between[0, 2] == between[1, 2]
    assert between[0, 0] > between[0, 1]


def test_a_point_that_is_believed_in_is_nothing_new_and_changes_no_expectation():
    model = GaussianProcess(reports(), NO_CHOICES)
    point = np.array([[3.0, -2.0]])
    elsewhere = np.array([[0.2, 0.9]])
    before, unsure = model.predict(np.vstack([point, elsewhere]), END)
    model.believe(point, END)
    after, surer = model.predict(np.vstack([point, elsewhere]), END)
    assert after == pytest.approx(before, abs=1e-6)
    assert surer[0] < 0.5 * unsure[0]
    assert surer[1] <= unsure[1] + 1e-9


def both(turn: float) -> GaussianProcess:
    """Of a search, and of another one whose values are the same times ``turn``."""
    there = reports(16, seed=1)
    return GaussianProcess(reports(16).beside(there._replace(values=turn * there.values)), NO_CHOICES)


def test_it_finds_out_how_alike_two_searches_are():
    same, turned = both(1.0), both(-1.0)
    assert same.alike > 0.7
    assert turned.alike < 0.2
    alone = GaussianProcess(reports(16), NO_CHOICES)
    at = np.random.default_rng(5).random((20, 2))
    errors = [np.abs(model.predict(at, END)[0] - alone.predict(at, END)[0]).mean() for model in (same, turned)]
    assert errors[1] < 0.2


@pytest.mark.parametrize("values", [np.zeros(4), np.array([1.0, 1.0, 1.0, -3.0])])
def test_equal_points_and_equal_values_are_no_hindrance(values: np.ndarray):
    known = Reports(np.full((4, 2), 0.5), np.full(4, END), np.zeros(4), values, HERE)
    mean, deviation = GaussianProcess(known, NO_CHOICES).predict(np.array([[0.5, 0.5]]), END)
    assert np.isfinite(mean).all()
    assert (deviation > 0).all()


@pytest.mark.parametrize(("mean", "deviation"), [(0.3, 1.0), (-2.0, 0.5), (1.5, 0.1)])
def test_the_expected_improvement_is_the_integral_over_what_is_better(mean: float, deviation: float):
    integral, _ = integrate.quad(
        lambda value: value * stats.norm.pdf(value, mean, deviation), 0, 20, points=[max(mean, 0)]
    )
    (found,) = log_expected_improvement(np.array([mean]), np.array([deviation]), 0.0)
    assert math.exp(found) == pytest.approx(integral, rel=1e-4)


def test_the_expected_improvement_still_has_an_order_where_there_is_hardly_any():
    means = np.array([-5.0, -20.0, -24.9, -25.1, -40.0, -1000.0])
    found = log_expected_improvement(means, np.ones(6), 0.0)
    assert np.isfinite(found).all()
    assert (np.diff(found) < 0).all()
    assert found[3] == pytest.approx(found[2] - 5, abs=0.1)  # without a step where the formula changes
