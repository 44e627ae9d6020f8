"""What the figures of a sweep have in common: sizes, colours, axes."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.results import SweepResults

BEST, DEFAULT, OTHER, TRUNK = (
    "#d55e00",
    "#0072b2",
    "#b8b8b8",
    "#444444",
)  # Okabe and Ito's palette, for colour-blind readers too
PALETTE = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#444444", "#b8b8b8")
"""Of kinds, by the same authors."""
WIDTH, NARROW = 8.0, 3.9
"""Widths in inches (of 96 pixels): of a page, and of a phone, where panels are below each other."""
HEIGHT = 4.2
MARKS = {"complete": "o", "failed": "X"}
"""The marker at a curve's end, by the trial's state; a ring for other states."""

FigureAndTable = tuple[Figure, pd.DataFrame] | None


def canvas(x: str, y: str, width: float, height: float = HEIGHT) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    style_axes(axes, x, y)
    return figure, axes


def style_axes(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)


def legend_above(axes: Axes) -> None:
    """Put the legend above the axes, where it hides no data."""
    figure = axes.figure
    columns = 2 if isinstance(figure, Figure) and figure.get_figwidth() >= WIDTH else 1
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, borderaxespad=0.2)


def colour_of(sweep: SweepResults, trial: str) -> tuple[str, str | None]:
    """A trial's colour, and its label in the legend."""
    best = sweep.ranked["trial"].iloc[0] if len(sweep.ranked) else ""
    if trial == best:
        return BEST, f"best: {trial}{' (the default)' if trial == sweep.default else ''}"
    return (DEFAULT, f"default: {trial}") if trial == sweep.default else (OTHER, None)
