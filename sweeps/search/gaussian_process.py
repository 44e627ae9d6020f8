"""A small Gaussian process over the reports of all trials, at every rung where they were.

The value that a point x will have at the end, given reports at epochs e: the covariance of two reports is
``a k(x, x') (s1 + s2 exp(-|log e - log e'| / l)) + t [same trial] + noise``. What s1 weighs is the same at all epochs,
what s2 weighs comes and goes, t is what a trial's seed decides. k is Matern 5/2 with a weight for each key. a is 1, but
between a report of this search and one of another, on other data, it is how alike the two are (Bonilla et al. 2007,
multi-task Gaussian processes): at 0 nothing is learnt from the other.
The parameters are the most probable ones under broad priors (``WEIGHT``, ``OTHERS``), by L-BFGS.
"""

import math
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve, solve_triangular
from scipy.optimize import minimize
from scipy.special import log_ndtr

from sweeps.search.encoding import squared_differences

Array = npt.NDArray[np.float64]

ROOT5 = math.sqrt(5)
JITTER = 1e-6
STEPS = 40


class Parameter(NamedTuple):
    """What is believed of a parameter before: its logarithm is normal, and within two ends."""

    median: float
    spread: float
    """The standard deviation of the logarithm."""
    low: float
    high: float
    """The ends of the logarithm."""


WEIGHT = Parameter(1.5, 1.6, -6.0, 5.0)
"""Of each key: an inverse squared length, in ranges."""
OTHERS = {
    "s1": Parameter(0.8, 0.7, -5.0, 3.0),
    "s2": Parameter(0.5, 1.0, -9.0, 2.0),
    "l": Parameter(1.5, 0.7, -2.0, 3.0),
    "t": Parameter(0.1, 1.2, -11.0, 1.0),
    "noise": Parameter(0.05, 1.2, -9.0, 1.0),
    "a": Parameter(0.5, 1.0, -6.0, 0.0),
}


class Reports(NamedTuple):
    """What a model knows, a row a report."""

    points: Array
    """(reports, columns), as ``sweeps.search.encoding`` has them."""
    log_epochs: Array
    trials: Array
    """A number for each trial."""
    values: Array
    """With mean 0 and standard deviation 1; those of another search by themselves."""
    elsewhere: npt.NDArray[np.bool_]
    """Whether a report is of another search, on other data."""

    def beside(self, other: Self) -> Self:
        """These reports and those of another search, whose trials are not ours."""
        return type(self)(
            np.concatenate([self.points, other.points]),
            np.concatenate([self.log_epochs, other.log_epochs]),
            np.concatenate([self.trials, -1 - other.trials]),
            np.concatenate([self.values, other.values]),
            np.concatenate([self.elsewhere, np.ones(len(other.values), bool)]),
        )


class GaussianProcess:
    """The model, fitted to reports."""

    def __init__(
        self, reports: Reports, is_unordered: npt.NDArray[np.bool_], typical_weight: float = WEIGHT.median
    ) -> None:
        """``typical_weight``: the median that the weight of a key is believed to have."""
        self.reports, self.is_unordered = reports, is_unordered
        self.squares = squared_differences(reports.points, reports.points, is_unordered)
        self.apart = np.abs(reports.log_epochs[:, None] - reports.log_epochs[None])
        self.same = (reports.trials[:, None] == reports.trials[None]).astype(float)
        self.across = (reports.elsewhere[:, None] != reports.elsewhere[None]).astype(float)
        columns = len(is_unordered)
        believed = [WEIGHT._replace(median=typical_weight)] * columns + [*OTHERS.values()]
        self.center = np.log([one.median for one in believed])
        self.spread = np.array([one.spread for one in believed])
        bounds = [(one.low, one.high) for one in believed]
        found = minimize(
            self._loss, self.center, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": STEPS}
        )
        parameters = np.exp(found.x)
        self.weights = parameters[:columns]
        self.s1, self.s2, self.length, _, self.noise, self.alike = parameters[columns:].tolist()
        self.points, self.log_epochs, self.values = reports.points, reports.log_epochs, reports.values
        self.weight_of = np.where(reports.elsewhere, self.alike, 1.0)
        """By which each report's covariance with this search is multiplied."""
        self._solve(self._covariance(found.x)[0])

    def _solve(self, covariance: Array) -> None:
        self.root = np.linalg.cholesky(covariance)
        self.solved = cho_solve((self.root, True), self.values)

    def believe(self, points: Array, log_epoch: float) -> None:
        """Take points (n, columns) in as if they had come to what is expected of them: nothing new is there."""
        mean, _ = self.predict(points, log_epoch)
        between = self._between(points, log_epoch)
        among = (self.s1 + self.s2) * matern(squared_differences(points, points, self.is_unordered) @ self.weights)[0]
        among[np.diag_indices_from(among)] += self.noise + JITTER
        known = self.root @ self.root.T
        self.points = np.vstack([self.points, points])
        self.log_epochs = np.concatenate([self.log_epochs, np.full(len(points), log_epoch)])
        self.values = np.concatenate([self.values, mean])
        self.weight_of = np.concatenate([self.weight_of, np.ones(len(points))])
        self._solve(np.block([[known, between.T], [between, among]]))

    def _covariance(self, logs: Array) -> tuple[Array, Array, Array, Array, Array]:
        columns = len(self.is_unordered)
        weights = np.exp(logs[:columns])
        s1, s2, length, trial, noise, alike = np.exp(logs[columns:])
        kernel, slope = (one * (1 - self.across * (1 - alike)) for one in matern(self.squares @ weights))
        nearness = np.exp(-self.apart / length)
        covariance = (s1 + s2 * nearness) * kernel + trial * self.same
        covariance[np.diag_indices_from(covariance)] += noise + JITTER
        return covariance, kernel, slope, nearness, np.exp(logs)

    def _loss(self, logs: Array) -> tuple[float, Array]:
        """The negative logarithm of the posterior density of the parameters, and its gradient."""
        columns, values = len(self.is_unordered), self.reports.values
        covariance, kernel, slope, nearness, parameters = self._covariance(logs)
        s1, s2, length, trial, noise, _ = parameters[columns:]
        try:
            root = np.linalg.cholesky(covariance)
        except np.linalg.LinAlgError:
            return 1e10, np.zeros_like(logs)
        solved = cho_solve((root, True), values)
        inverse = cho_solve((root, True), np.eye(len(values)))
        half = 0.5 * (inverse - np.outer(solved, solved))  # the gradient by the covariance
        gradient = np.empty_like(logs)
        by_square = half * (s1 + s2 * nearness) * slope
        gradient[:columns] = np.tensordot(by_square, self.squares, axes=2) * parameters[:columns]
        gradient[columns:] = (
            (half * kernel).sum() * s1,
            (half * kernel * nearness).sum() * s2,
            (half * kernel * s2 * nearness * self.apart).sum() / length,
            (half * self.same).sum() * trial,
            np.trace(half) * noise,
            (half * kernel * (s1 + s2 * nearness) * self.across).sum(),
        )
        deviations = (logs - self.center) / self.spread
        loss = 0.5 * values @ solved + np.log(np.diag(root)).sum() + 0.5 * (deviations**2).sum()
        return float(loss), gradient + deviations / self.spread

    def predict(self, points: Array, log_epoch: float) -> tuple[Array, Array]:
        """Mean and standard deviation of what points (n, columns) come to at an epoch, whatever their seeds."""
        covariance = self._between(points, log_epoch)
        explained = solve_triangular(self.root, covariance.T, lower=True)
        variance = self.s1 + self.s2 - (explained**2).sum(axis=0)
        return covariance @ self.solved, np.sqrt(np.maximum(variance, 1e-10))

    def _between(self, points: Array, log_epoch: float) -> Array:
        """The covariance of points at an epoch with all that is known."""
        kernel, _ = matern(squared_differences(points, self.points, self.is_unordered) @ self.weights)
        by_epoch = self.s1 + self.s2 * np.exp(-np.abs(self.log_epochs - log_epoch) / self.length)
        return self.weight_of * by_epoch * kernel


def matern(squares: Array) -> tuple[Array, Array]:
    """Matern 5/2 of squared distances, and its derivative by them."""
    distance = np.sqrt(np.maximum(squares, 1e-20))
    decay = np.exp(-ROOT5 * distance)
    return (1 + ROOT5 * distance + 5 / 3 * squares) * decay, -(5 / 6) * (1 + ROOT5 * distance) * decay


def log_expected_improvement(mean: Array, deviation: Array, best: float) -> Array:
    """The logarithm of the expected improvement over ``best``, finite also where it is tiny."""
    z = (mean - best) / deviation
    near = np.maximum(z, -25.0)
    plain = np.exp(-0.5 * near**2) / math.sqrt(2 * math.pi) + near * np.exp(log_ndtr(near))
    below = np.minimum(z, -25.0)
    tail = -0.5 * below**2 - 2 * np.log(-below) - 0.5 * math.log(2 * math.pi)
    return np.where(z > -25, np.log(np.maximum(plain, 1e-300)), tail) + np.log(deviation)
