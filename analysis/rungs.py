"""What the search did at its rungs, and how far their order can be trusted."""

from typing import Any

import pandas as pd
from scipy import stats

from analysis.results import SweepResults

COLUMNS = ("epoch", "reached", "went_on", "best", "median", "agreement")


def rung_table(sweep: SweepResults) -> pd.DataFrame:
    """A row a rung, and one for the end.

    ``epoch``; trials that ``reached`` it; how many of them ``went_on``; the ``best`` and the ``median`` of their values
    there; ``agreement``: Kendall's tau between the order of the trials there and at the next rung that they came to, 1
    for the same order, 0 for none (nan with fewer than three trials). It knows only those that went on, which are
    alike: of all trials it would be higher. Near 0 or below at the first rung: a longer grace may choose better.
    """
    reports: Any = sweep.reports
    at = {epoch: reports[reports["epoch"] == epoch].set_index("trial")["value"].dropna() for epoch in sweep.rungs}
    furthest: Any = reports.groupby("trial")["epoch"].max()
    lines: list[tuple[Any, ...]] = []
    for epoch, later in zip(sweep.rungs, [*sweep.rungs[1:], None], strict=True):
        here, on = at[epoch], int((furthest > epoch).sum())
        both = here.index.intersection(at[later].index) if later else []
        told: Any = stats.kendalltau(here[both], at[later][both]) if later and len(both) > 2 else None
        lines.append((epoch, len(here), on, here.max(), here.median(), told.statistic if told else float("nan")))
    return pd.DataFrame(lines, columns=list(COLUMNS))
