"""Figures of a sweep. Each function returns a figure and its table, or None if there is nothing to draw."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from analysis.axes import Scale, fractions, scale_of
from analysis.canvas import (
    BEST,
    DEFAULT,
    HEIGHT,
    MARKS,
    OTHER,
    TRUNK,
    WIDTH,
    FigureAndTable,
    canvas,
    colour_of,
    legend_above,
    style_axes,
)
from analysis.costs import draw_costs
from analysis.equal_time import draw_equal_time
from analysis.importance import importance
from analysis.results import SweepResults
from sweeps.leaderboard import short, short_names

MARGIN = 0.04
"""Of an axis, beyond each end of a range."""


def learning_curves(sweep: SweepResults, width: float = WIDTH) -> FigureAndTable:
    """Every trial's metric over its epochs, the best and the default in colour; rungs are dotted."""
    table: Any = sweep.reports[["trial", "epoch", "value"]]
    table = table.dropna().sort_values(["trial", "epoch"])
    if table.empty:
        return None
    figure, axes = canvas("epoch", sweep.metric, width)
    states = dict(zip(sweep.trials["trial"], sweep.trials["state"], strict=True))
    for name, curve in table.groupby("trial"):
        colour, label = colour_of(sweep, str(name))
        front = 1 if colour == OTHER else 3
        axes.plot(curve["epoch"], curve["value"], color=colour, lw=1 if front == 1 else 2, zorder=front, label=label)
        end: dict[str, Any] = {"color": colour, "ms": 6, "zorder": front + 1, "clip_on": False}
        end |= {} if states[name] in MARKS else {"mfc": "white"}
        axes.plot(curve["epoch"].iloc[-1:], curve["value"].iloc[-1:], MARKS.get(states[name], "o"), **end)
    for rung in sweep.rungs[:-1]:
        axes.axvline(rung, color=TRUNK, lw=0.8, ls=":", zorder=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_above(axes)
    return figure, table


def progress(sweep: SweepResults, width: float = WIDTH) -> FigureAndTable:
    """The best score so far, over epochs spent and over time."""
    table = best_so_far(sweep, sweep.metric)
    return None if table.empty else (plot_progress({sweep.name: table}, sweep.metric, width), table)


def best_so_far(sweep: SweepResults, metric: str) -> pd.DataFrame:
    """One row per epoch of any trial, in the order in which they ended: ``epochs`` spent so far, ``hours`` since the
    first one, and the ``best`` value of the metric so far. Epochs of failed trials count, but not their values."""
    reports: Any = sweep.reports
    if metric not in reports:
        return pd.DataFrame(columns=["epochs", "hours", "best"])
    failed = sweep.trials.query("state == 'failed'")["trial"]
    values = reports["value" if metric == sweep.metric else metric].mask(reports["trial"].isin(failed))
    seconds = (reports["time"].cummax() - reports["time"].iloc[:1].max()).dt.total_seconds()  # a clock may be set back
    hours = seconds / 3600
    table: Any = pd.DataFrame({"epochs": np.arange(1, len(reports) + 1), "hours": hours, "best": values.cummax()})
    return table.ffill().dropna().reset_index(drop=True)


def plot_progress(tables: Mapping[str, pd.DataFrame], metric: str, width: float = WIDTH) -> Figure:
    """Plot tables of ``best_so_far``, by the names of their sweeps, on the same axes."""
    lines = 1 if width >= WIDTH else 2
    figure = Figure(figsize=(width, HEIGHT * (1 + lines) / 2), layout="constrained")
    left, right = figure.subplots(lines, 3 - lines, sharey=True)
    longest = max(table["hours"].tolist()[-1] for table in tables.values())
    unit = "hours" if longest >= 1 else "minutes"
    for (name, table), colour in zip(tables.items(), (BEST, DEFAULT), strict=False):
        left.step(table["epochs"], table["best"], where="post", color=colour, lw=2, label=name)
        right.step(table["hours"] * (1 if unit == "hours" else 60), table["best"], where="post", color=colour, lw=2)
    style_axes(left, "epochs of all trials", f"best {metric} so far")
    style_axes(right, f"{unit} since the first epoch", "" if lines == 1 else f"best {metric} so far")
    right.xaxis.set_major_locator(MaxNLocator(5))
    if len(tables) > 1:
        legend_above(left)
    return figure


def slices(sweep: SweepResults, width: float = WIDTH) -> FigureAndTable:
    """The score over each parameter. The longer a trial was trained, the larger its dot."""
    table: Any = sweep.ranked[["trial", "score", "epochs", *sweep.parameters]]
    if table.empty or not sweep.parameters:
        return None
    columns = min(3 if width >= WIDTH else 1, len(sweep.parameters))
    lines = -(-len(sweep.parameters) // columns)
    figure = Figure(figsize=(width, 2.9 * lines), layout="constrained")
    grid = figure.subplots(lines, columns, sharey=True, squeeze=False)
    for axes in grid.flat[len(sweep.parameters) :]:
        axes.set_visible(False)
    colours = [colour_of(sweep, trial)[0] for trial in table["trial"]]
    sizes = 15 + 60 * table["epochs"] / sweep.rungs[-1]
    for index, (key, name) in enumerate(zip(sweep.parameters, short_names(sweep.parameters), strict=True)):
        axes = grid.flat[index]
        style_axes(axes, name.replace("_", " "), sweep.metric if index % columns == 0 else "")
        scale = scale_of(sweep, key)
        set_up_axis(axes, scale)
        places = [scale.position(sweep.params[trial]) for trial in table["trial"]]
        for front in (False, True):  # the best and the default are drawn on top
            shown = [index for index, colour in enumerate(colours) if (colour != OTHER) == front]
            dots = [[column[index] for index in shown] for column in (places, table["score"].tolist())]
            look: dict[str, Any] = {
                "s": [sizes.iloc[index] for index in shown],
                "c": [colours[index] for index in shown],
            }
            axes.scatter(*dots, **look, alpha=0.9, lw=0, zorder=3 if front else 1)
    return figure, table


def parallel(sweep: SweepResults, width: float = WIDTH) -> FigureAndTable:
    """Parallel coordinates: every trial is a line through its parameters, coloured by score; upright on a phone."""
    table: Any = sweep.ranked[["trial", *sweep.parameters, "score"]]
    if len(table) < 2 or not sweep.parameters:
        return None
    keys, upright = [*sweep.parameters], width < WIDTH
    scales = [scale_of(sweep, key) for key in keys]
    places = np.array([fractions(sweep, scale) for scale in scales] + [scaled_score(sweep)])
    figure, axes = canvas("", "", width, 1 + 0.8 * len(places) if upright else HEIGHT)
    low, high = float(table["score"].min()), float(table["score"].max())
    where: dict[str, Any] = {"location": "bottom", "pad": 0.03} if upright else {"pad": 0.02}
    colours = figure.colorbar(mappable(low, high), ax=axes, label=sweep.metric, **where)
    for column in np.argsort(places[-1]):  # the best are drawn last, on top
        score = sweep.ranked["score"].to_numpy()[column]
        there = np.flatnonzero(
            np.isfinite(places[:, column])
        )  # the line skips the axes of keys that the trial does not have
        line = (places[there, column], there) if upright else (there, places[there, column])
        axes.plot(*line, color=colours.cmap(colours.norm(score)), lw=1.6, alpha=0.85)
    marks = [[(scale.fraction(place), name) for place, name in scale.ticks()] for scale in scales]
    marks.append([(0.0, f"{low:.3f}"), (1.0, f"{high:.3f}")] if high > low else [(0.0, f"{low:.3f}")])
    names = [*(name.replace("_", " ") for name in short_names(keys)), "score"]
    draw_scales(axes, names, marks, upright)
    return figure, table


def draw_scales(axes: Axes, names: Sequence[str], marks: Sequence[Sequence[tuple[float, str]]], upright: bool) -> None:
    """Draw the axes of parallel coordinates with their labels; ``upright``: from top to bottom."""
    for spine in axes.spines.values():
        spine.set_visible(False)
    along, across = (axes.yaxis, axes.xaxis) if upright else (axes.xaxis, axes.yaxis)
    along.set_ticks(range(len(names)), names, rotation=30 if len(names) > 6 and not upright else 0)
    across.set_ticks([])
    axes.margins(0.1 if upright else 0.06, 0.06)
    if upright:
        axes.invert_yaxis()
    paper = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
    away: dict[str, Any] = {"xytext": (0, 5) if upright else (4, 0), "textcoords": "offset points", "fontsize": 8}
    away |= {"ha": "center", "va": "bottom"} if upright else {"va": "center"}
    for index, found in enumerate(marks):
        (axes.axhline if upright else axes.axvline)(index, color=TRUNK, lw=0.8)
        for place, text in found:
            axes.annotate(text, (place, index) if upright else (index, place), bbox=paper, zorder=5, **away)


def importances(sweep: SweepResults, width: float = WIDTH) -> FigureAndTable:
    """The importance of each parameter at each rung, with the central 80 % of bootstrap samples."""
    table = importance(sweep)
    if table.empty:
        return None
    rungs = list(dict.fromkeys(table["epoch"]))
    figure = Figure(figsize=(width, 1.2 + 0.35 * len(table)), layout="constrained")
    grid = figure.subplots(len(rungs), 1, sharex=True, squeeze=False)
    for axes, rung in zip(grid.flat, rungs, strict=True):
        at: Any = table[table["epoch"] == rung]
        at = at.sort_values("share")
        names = [name.replace("_", " ") for name in short_names(at["parameter"].tolist())]
        axes.barh(names, at["share"], color=DEFAULT, height=0.6)
        axes.hlines(names, at["low"], at["high"], color=TRUNK, lw=2)
        style_axes(axes, "share" if rung == rungs[-1] else "", "")
        axes.set_title(f"{at['trials'].iloc[0]} trials at epoch {rung}", fontsize=10, loc="left")
        axes.set_xlim(0, 1)
    return figure, table


def savings(sweep: SweepResults, width: float = WIDTH) -> FigureAndTable:
    """How many trials ended at each epoch, and how many epochs that saved; of those that ended by decision."""
    over: Any = sweep.trials[sweep.trials["state"].isin(["complete", "stopped"])]
    ended: Any = over.groupby("epochs").size()
    if ended.empty:
        return None
    end = sweep.rungs[-1]
    table = pd.DataFrame({"epoch": ended.index, "trials": ended.to_numpy()})
    table["spent"] = table["epoch"] * table["trials"]
    table["saved"] = (end - table["epoch"]) * table["trials"]
    figure, axes = canvas("epochs", "trials that ended at epoch", width)
    names = [str(epoch) for epoch in table["epoch"]]
    axes.barh(names, table["spent"], color=DEFAULT, label=f"spent: {table['spent'].sum()}")
    axes.barh(names, table["saved"], left=table["spent"], color=OTHER, label=f"saved: {table['saved'].sum()}")
    for name, count, total in zip(names, table["trials"], table["spent"] + table["saved"], strict=True):
        axes.annotate(f"{count}", (total, name), xytext=(4, 0), textcoords="offset points", va="center", fontsize=9)
    legend_above(axes)
    return figure, table


FIGURES: dict[str, tuple[str, Callable[..., FigureAndTable]]] = {
    "learning_curves": (
        "Learning curves. Dot: trained to the end; ring: stopped; cross: failed; dotted lines: rungs.",
        learning_curves,
    ),
    "progress": ("The best score so far, over epochs spent and over time.", progress),
    "parallel": (
        "Every trial as a line through its parameters. The line skips parameters that the trial does not have.",
        parallel,
    ),
    "slices": ("The score over each parameter. Large: trained longer; blue: the default; orange: the best.", slices),
    "costs": (
        "The score over what the network costs: weights, time and memory to predict one image. Orange: no other trial "
        "is as cheap and better; blue: the default.",
        draw_costs,
    ),
    "equal_time": (
        "The best of each kind of network over the seconds of one training. Dotted: as long as every kind was trained.",
        draw_equal_time,
    ),
    "importance": ("The importance of parameters at each rung; lines: 80 % of bootstrap samples.", importances),
    "savings": (
        "Epochs spent and saved by early stopping, with the number of trials that ended at each epoch.",
        savings,
    ),
}
"""Caption and function of each figure. The function's arguments are a sweep and the width in inches."""


def show(sweep: SweepResults, name: str) -> Figure | str:
    """A figure of ``FIGURES`` for a notebook, or a sentence if there is nothing to draw."""
    figure_and_table = FIGURES[name][1](sweep)
    return f"Nothing to draw yet for {name}." if figure_and_table is None else figure_and_table[0]


def set_up_axis(axes: Axes, scale: Scale) -> None:
    """Set up the x axis for a parameter. It shows the whole range, so that a value near an end is seen to be there."""
    if scale.choices:
        places, names = zip(*scale.ticks(), strict=True)
        axes.set_xticks(places, names, rotation=30, ha="right", rotation_mode="anchor")
        axes.set_xlim(-0.5, len(scale.choices) - 0.5)
    elif scale.log:
        axes.set_xscale("log")
        span = scale.high / scale.low
        axes.set_xlim(scale.low / span**MARGIN, scale.high * span**MARGIN)
        decades = math.log10(span)
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if decades > 1.5 else (1.0, 2.0, 5.0), numticks=4))
        axes.xaxis.set_major_formatter(lambda value, _: short(float(value)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        margin = MARGIN * (scale.high - scale.low)
        axes.set_xlim(scale.low - margin, scale.high + margin)


def scaled_score(sweep: SweepResults) -> list[float]:
    """The ranked trials' scores, scaled so that the worst is 0 and the best is 1."""
    scores = sweep.ranked["score"].to_numpy()
    return list((scores - scores.min()) / max(1e-12, scores.max() - scores.min()))


def mappable(low: float, high: float) -> Any:
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    return ScalarMappable(Normalize(low, high), colormaps["viridis"])
