"""Brings a point to the row of a table of trainings that is most like it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.landscapes.landscape import Curves

TREES = 200


class NearestRow:
    """The row of a table that shares the most leaves with a point, in a forest that predicts the curves.

    So what matters for the score is near, and what does not matter is not looked at.
    """

    def __init__(self, rows: npt.NDArray[np.float64], curves: Curves, epochs: Sequence[int]) -> None:
        """``rows`` (rows, numbers) of the table; the forest predicts its ``curves`` at these ``epochs``."""
        from sklearn.ensemble import ExtraTreesRegressor

        forest: Any = ExtraTreesRegressor(TREES, min_samples_leaf=1, random_state=0)
        self.forest = forest.fit(rows, np.nan_to_num(curves)[:, [epoch - 1 for epoch in epochs]])
        self.leaves = self.forest.apply(rows)

    def rows(self, points: npt.NDArray[np.float64]) -> list[int]:
        return [int((self.leaves == leaves).mean(axis=1).argmax()) for leaves in self.forest.apply(points)]
