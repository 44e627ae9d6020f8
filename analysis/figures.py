"""Pictures of a sweep: each function returns a figure and the table that it draws; None if there is nothing to draw."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.importance import importance
from analysis.results import SweepResults
from analysis.scales import Scale, scale_of, shares
from sweeps.leaderboard import short_names

BEST, DEFAULT, OTHER, TRUNK = "#d55e00", "#0072b2", "#b8b8b8", "#444444"  # of Okabe and Ito: for every eye
WIDTH, HEIGHT = 8.0, 4.2  # inches
MARKS = {"complete": "o", "failed": "X"}

Drawn = tuple[Figure, pd.DataFrame] | None


def learning_curves(sweep: SweepResults) -> Drawn:
    """Every trial's metric over its epochs, the best and the default in colour; rungs are dotted."""
    table: Any = sweep.reports[["trial", "epoch", "value"]]
    table = table.dropna().sort_values(["trial", "epoch"])
    if table.empty:
        return None
    figure, axes = canvas("epoch", sweep.metric)
    states = dict(zip(sweep.trials["trial"], sweep.trials["state"], strict=True))
    for name, curve in table.groupby("trial"):
        colour, label = colour_of(sweep, str(name))
        front = 1 if colour == OTHER else 3
        axes.plot(curve["epoch"], curve["value"], color=colour, lw=1 if front == 1 else 2, zorder=front, label=label)
        mark = MARKS.get(states[name], "|")
        axes.plot(curve["epoch"].iloc[-1:], curve["value"].iloc[-1:], mark, color=colour, ms=6, zorder=front)
    for rung in sweep.rungs[:-1]:
        axes.axvline(rung, color=TRUNK, lw=0.8, ls=":", zorder=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, loc="lower right")
    return figure, table


def progress(sweep: SweepResults) -> Drawn:
    """The best score so far, over epochs spent and over time."""
    table = best_so_far(sweep, sweep.metric)
    return None if table.empty else (drawn_progress({sweep.name: table}, sweep.metric), table)


def best_so_far(sweep: SweepResults, metric: str) -> pd.DataFrame:
    """A row an epoch of any trial, in the order of their ends: ``epochs`` spent till then, ``hours`` since the first,
    and the ``best`` value of the metric so far. Trials that failed have spent, but have no value."""
    reports: Any = sweep.reports
    if metric not in reports:
        return pd.DataFrame(columns=["epochs", "hours", "best"])
    failed = sweep.trials.query("state == 'failed'")["trial"]
    values = reports["value" if metric == sweep.metric else metric].mask(reports["trial"].isin(failed))
    seconds = (reports["time"].cummax() - reports["time"].iloc[:1].max()).dt.total_seconds()  # clocks are set back
    hours = seconds / 3600
    table: Any = pd.DataFrame({"epochs": np.arange(1, len(reports) + 1), "hours": hours, "best": values.cummax()})
    return table.ffill().dropna().reset_index(drop=True)


def drawn_progress(tables: Mapping[str, pd.DataFrame], metric: str) -> Figure:
    """Tables of ``best_so_far``, by the names of their sweeps, on the same axes."""
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    longest = max(table["hours"].tolist()[-1] for table in tables.values())
    unit = "hours" if longest >= 1 else "minutes"
    for (name, table), colour in zip(tables.items(), (BEST, DEFAULT), strict=False):
        left.step(table["epochs"], table["best"], where="post", color=colour, lw=2, label=name)
        right.step(table["hours"] * (1 if unit == "hours" else 60), table["best"], where="post", color=colour, lw=2)
    plain(left, "epochs of all trials", f"best {metric} so far")
    plain(right, f"{unit} since the first epoch", "")
    if len(tables) > 1:
        left.legend(frameon=False, loc="lower right")
    return figure


def slices(sweep: SweepResults) -> Drawn:
    """The score over each parameter; the further a trial was trained, the larger it is."""
    table: Any = sweep.ranked[["trial", "score", "epochs", *sweep.parameters]]
    if table.empty or not sweep.parameters:
        return None
    columns = min(3, len(sweep.parameters))
    lines = -(-len(sweep.parameters) // columns)
    figure = Figure(figsize=(WIDTH, 2.9 * lines), layout="constrained")
    grid = figure.subplots(lines, columns, sharey=True, squeeze=False)
    for axes in grid.flat[len(sweep.parameters) :]:
        axes.set_visible(False)
    for axes, key, name in zip(grid.flat, sweep.parameters, short_names(sweep.parameters), strict=False):
        first = axes is grid.flat[0]
        plain(axes, name.replace("_", " "), sweep.metric if first else "")
        scale = scale_of(sweep, key)
        set_up(axes, scale)
        for trial, score, epochs in zip(table["trial"], table["score"], table["epochs"], strict=True):
            place = scale.place(sweep.params[trial])
            colour, _ = colour_of(sweep, trial)
            size = 15 + 60 * epochs / sweep.rungs[-1]
            axes.scatter(place, score, s=size, color=colour, alpha=0.9, lw=0, zorder=1 if colour == OTHER else 3)
    return figure, table


def parallel(sweep: SweepResults) -> Drawn:
    """Every trial as a line through its parameters, coloured by its score."""
    table: Any = sweep.ranked[["trial", *sweep.parameters, "score"]]
    if len(table) < 2 or not sweep.parameters:
        return None
    figure, axes = canvas("", "")
    keys = [*sweep.parameters]
    scales = [scale_of(sweep, key) for key in keys]
    places = np.array([shares(sweep, scale) for scale in scales] + [scaled_score(sweep)])
    low, high = float(table["score"].min()), float(table["score"].max())
    colours = figure.colorbar(mappable(low, high), ax=axes, label=sweep.metric, pad=0.02)
    for column in np.argsort(places[-1]):  # the best are drawn last, on top
        score = sweep.ranked["score"].to_numpy()[column]
        axes.plot(range(len(places)), places[:, column], color=colours.cmap(colours.norm(score)), lw=1.6, alpha=0.85)
    axes.set_xticks(range(len(places)), [*(name.replace("_", " ") for name in short_names(keys)), "score"])
    axes.set_yticks([])
    axes.margins(x=0.06)
    for spine in axes.spines.values():
        spine.set_visible(False)
    labels = [[(scale.share(place), name) for place, name in scale.ticks()] for scale in scales]
    labels.append([(0.0, f"{low:.3f}"), (1.0, f"{high:.3f}")])
    paper = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
    for index, marks in enumerate(labels):
        axes.axvline(index, color=TRUNK, lw=0.8)
        for place, text in marks:
            away: dict[str, Any] = {"xytext": (4, 0), "textcoords": "offset points", "va": "center", "fontsize": 8}
            axes.annotate(text, (index, place), bbox=paper, zorder=5, **away)
    return figure, table


def importances(sweep: SweepResults) -> Drawn:
    """Each parameter's share at each rung, with what 80 % of bootstrap samples say."""
    table = importance(sweep)
    if table.empty:
        return None
    rungs = list(dict.fromkeys(table["epoch"]))
    figure = Figure(figsize=(WIDTH, 1.2 + 0.35 * len(table)), layout="constrained")
    grid = figure.subplots(len(rungs), 1, sharex=True, squeeze=False)
    for axes, rung in zip(grid.flat, rungs, strict=True):
        at: Any = table[table["epoch"] == rung]
        at = at.sort_values("share")
        names = [name.replace("_", " ") for name in short_names(at["parameter"].tolist())]
        axes.barh(names, at["share"], color=DEFAULT, height=0.6)
        axes.hlines(names, at["low"], at["high"], color=TRUNK, lw=2)
        plain(axes, "share" if rung == rungs[-1] else "", "")
        axes.set_title(f"{at['trials'].iloc[0]} trials at epoch {rung}", fontsize=10, loc="left")
        axes.set_xlim(0, 1)
    return figure, table


def savings(sweep: SweepResults) -> Drawn:
    """How many trials ended at each epoch, and what that saved of training all of them to the end."""
    ended: Any = sweep.trials.groupby("epochs").size()
    if ended.empty:
        return None
    end = sweep.rungs[-1]
    table = pd.DataFrame({"epoch": ended.index, "trials": ended.to_numpy()})
    table["spent"] = table["epoch"] * table["trials"]
    table["saved"] = (end - table["epoch"]) * table["trials"]
    figure, axes = canvas("epochs", "trials that ended at epoch")
    names = [str(epoch) for epoch in table["epoch"]]
    axes.barh(names, table["spent"], color=DEFAULT, label=f"spent: {table['spent'].sum()}")
    axes.barh(names, table["saved"], left=table["spent"], color=OTHER, label=f"saved: {table['saved'].sum()}")
    for name, count, total in zip(names, table["trials"], table["spent"] + table["saved"], strict=True):
        axes.annotate(f"{count}", (total, name), xytext=(4, 0), textcoords="offset points", va="center", fontsize=9)
    axes.legend(frameon=False)
    return figure, table


FIGURES: dict[str, tuple[str, Callable[[SweepResults], Drawn]]] = {
    "learning_curves": ("Learning curves. A dot: trained to the end; a stroke: stopped there.", learning_curves),
    "progress": ("The best so far, over epochs spent and over time.", progress),
    "parallel": ("Every trial as a line through its parameters.", parallel),
    "slices": ("The score over each parameter. Large: trained far; blue: the default; red: the best.", slices),
    "importance": ("Which parameters matter, at each rung; strokes: 80 % of bootstrap samples.", importances),
    "savings": ("Epochs that stopping early has saved, and how many trials ended where.", savings),
}
"""Name to caption and function."""


def show(sweep: SweepResults, name: str) -> Figure | str:
    """A figure of ``FIGURES`` for a notebook, or a sentence that there is nothing to draw."""
    drawn = FIGURES[name][1](sweep)
    return f"Nothing to draw yet for {name}." if drawn is None else drawn[0]


def canvas(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    axes = figure.subplots()
    plain(axes, x, y)
    return figure, axes


def plain(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)


def colour_of(sweep: SweepResults, trial: str) -> tuple[str, str | None]:
    """A trial's colour, and its words in a legend."""
    best = sweep.ranked["trial"].iloc[0] if len(sweep.ranked) else ""
    if trial == best:
        return BEST, f"best: {trial}{' (the default)' if trial == sweep.default else ''}"
    return (DEFAULT, f"default: {trial}") if trial == sweep.default else (OTHER, None)


def set_up(axes: Axes, scale: Scale) -> None:
    """Draw the axis of a parameter."""
    if scale.choices:
        axes.set_xticks(range(len(scale.choices)), scale.choices, rotation=30, ha="right", rotation_mode="anchor")
        axes.set_xlim(-0.5, len(scale.choices) - 0.5)
    elif scale.log:
        axes.set_xscale("log")


def scaled_score(sweep: SweepResults) -> list[float]:
    """The ranked trials' scores from 0 to 1, from the worst to the best."""
    scores = sweep.ranked["score"].to_numpy()
    return list((scores - scores.min()) / max(1e-12, scores.max() - scores.min()))


def mappable(low: float, high: float) -> Any:
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    return ScalarMappable(Normalize(low, high), colormaps["viridis"])
