"""Statistics of a sweep's rungs, including how well the ranking at a rung predicts the ranking at the next one."""

from typing import Any

import pandas as pd
from scipy import stats

from analysis.results import SweepResults

COLUMNS = ("epoch", "reached", "went_on", "best", "median", "agreement")


def rung_table(sweep: SweepResults) -> pd.DataFrame:
    """One row per rung, and one for the last epoch.

    ``epoch``; the number of trials that ``reached`` it and that ``went_on``; the ``best`` and ``median`` of their
    values; ``agreement``: Kendall's tau between the ranking at this rung and at the next one, 1 for the same order, 0
    for no relation (nan with fewer than three trials). Only trials that went on are compared; they are similar, so the
    value for all trials would be higher. If it is near 0 or negative at the first rung, a longer grace period may help.
    """
    reports: Any = sweep.reports
    at = {epoch: reports[reports["epoch"] == epoch].set_index("trial")["value"].dropna() for epoch in sweep.rungs}
    furthest: Any = reports.groupby("trial")["epoch"].max()
    lines: list[tuple[Any, ...]] = []
    for epoch, later in zip(sweep.rungs, [*sweep.rungs[1:], None], strict=True):
        here, on = at[epoch], int((furthest > epoch).sum())
        both = here.index.intersection(at[later].index) if later else []
        tau: Any = stats.kendalltau(here[both], at[later][both]) if later and len(both) > 2 else None
        lines.append((epoch, len(here), on, here.max(), here.median(), tau.statistic if tau else float("nan")))
    return pd.DataFrame(lines, columns=list(COLUMNS))
