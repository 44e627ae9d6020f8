"""What the networks of a sweep cost where they are used, and which are the best for that."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from analysis.canvas import BEST, DEFAULT, HEIGHT, OTHER, TRUNK, WIDTH, FigureAndTable, legend_above, style_axes
from analysis.results import SweepResults
from sweeps.leaderboard import short
from trainable.limits import COSTS, PREFIX, Costs

LABELS = {"parameters": "million weights", "milliseconds": "ms an image", "peak_mib": "MiB at the peak"}
UNITS = {"parameters": 1e6, "milliseconds": 1.0, "peak_mib": 1.0}
WIDE_RANGE = 8.0
"""Costs that differ by more than this factor are drawn on a logarithmic axis."""


def costs_of(sweep: SweepResults) -> dict[str, Costs]:
    """The costs of each trial that has reported; those of older sweeps are missing."""
    columns = [f"{PREFIX}{name}" for name in COSTS]
    if not set(columns) <= set(sweep.reports.columns):
        return {}
    reports: Any = sweep.reports[["trial", *columns]].dropna().groupby("trial").first().reset_index()
    found = ((str(row["trial"]), Costs.of(row)) for row in reports.to_dict("records"))
    return {trial: costs for trial, costs in found if costs is not None}


def cost_table(sweep: SweepResults) -> pd.DataFrame:
    """One row for each ranked trial, best first: ``trial``, ``score``, ``state``, its costs, and ``front``.

    ``front`` has the names of the costs for which no other trial is as cheap and better.
    """
    costs = costs_of(sweep)
    rows: list[dict[str, Any]] = [
        {"trial": row["trial"], "score": row["score"], "state": row["state"], **vars(costs[row["trial"]])}
        for row in sweep.ranked.to_dict("records")
        if row["trial"] in costs
    ]
    for row in rows:
        row["front"] = " ".join(name for name in COSTS if is_on_front(row, rows, name))
    return pd.DataFrame(rows, columns=["trial", "score", "state", *COSTS, "front"])


def is_on_front(row: dict[str, Any], rows: list[dict[str, Any]], cost: str) -> bool:
    """Whether no other row is better at the same cost or less, or as good at less."""
    return not any(
        other["score"] >= row["score"]
        and other[cost] <= row[cost]
        and (other["score"], -other[cost]) != (row["score"], -row[cost])
        for other in rows
    )


def is_one_network(table: Any) -> bool:
    """Whether all trials have the same network, by size, so that their times differ by chance."""
    return all(table[cost].nunique() < 2 for cost in ("parameters", "peak_mib"))


def draw_costs(sweep: SweepResults, width: float = WIDTH) -> FigureAndTable:
    """The score over each cost, with the front of the best."""
    table: Any = cost_table(sweep)
    if is_one_network(table):
        return None
    wide = width >= WIDTH
    figure = Figure(figsize=(width, HEIGHT * (0.9 if wide else 2.2)), layout="constrained")
    shape = (1, len(COSTS)) if wide else (len(COSTS), 1)
    panels = figure.subplots(*shape, sharey=True, squeeze=False).ravel()
    for axes, cost in zip(panels, COSTS, strict=True):
        style_axes(axes, LABELS[cost], sweep.metric if axes is panels[0] or not wide else "")
        draw_front(axes, table.assign(**{cost: table[cost] / UNITS[cost]}), cost, sweep.default)
        limit = sweep.about.get("limits", {}).get(cost)
        if limit is not None and limit < WIDE_RANGE * table[cost].max():
            axes.axvline(limit / UNITS[cost], color=TRUNK, lw=1, ls="--", zorder=0, label="limit")
            axes.set_xlim(right=1.08 * max(limit, table[cost].max()) / UNITS[cost])
    legend_above(panels[0])
    return figure, table


def draw_front(axes: Axes, table: Any, cost: str, default: str) -> None:
    """One panel: all trials as dots, the front as a line, and the default."""
    front = table[[cost in names.split() for names in table["front"]]].sort_values(cost)
    axes.plot(table[cost], table["score"], "o", color=OTHER, ms=5, zorder=1)
    axes.step(front[cost], front["score"], where="post", color=BEST, lw=1.2, zorder=2)
    axes.plot(front[cost], front["score"], "o", color=BEST, ms=6, zorder=3, label="best at its cost")
    own = table[table["trial"] == default]
    axes.plot(own[cost], own["score"], "D", color=DEFAULT, ms=6, zorder=4, label="default")
    if table[cost].max() > WIDE_RANGE * table[cost].min():
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=6))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_xlim(0, 1.08 * table[cost].max())
        axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(lambda value, _: short(float(value)))


def front_rows(sweep: SweepResults) -> list[list[str]]:
    """The trials on any front as texts, best first: trial, score, costs, and which fronts; empty for one network."""
    table: Any = cost_table(sweep)
    return [
        [
            row["trial"],
            f"{row['score']:.4f}",
            f"{row['parameters'] / 1e6:.2f}",
            f"{row['milliseconds']:.1f}",
            f"{row['peak_mib']:.0f}",
            ", ".join(LABELS[name] for name in row["front"].split()),
        ]
        for row in table.to_dict("records")
        if row["front"] and not is_one_network(table)
    ]
