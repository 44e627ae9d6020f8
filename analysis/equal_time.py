"""Compares kinds of networks after equal seconds of training: an epoch of one may take as long as three of another."""

from typing import Any

import pandas as pd

from analysis.canvas import PALETTE, TRUNK, WIDTH, FigureAndTable, canvas, legend_above
from analysis.results import SweepResults

PREFIX = "model"
"""The first part of the keys whose choices make a kind."""


def kinds_of(sweep: SweepResults) -> dict[str, str]:
    """The kind of each trial: its choices for the network; empty if the sweep has searched none."""
    keys = [
        key
        for key in sweep.parameters
        if key.split(".")[0] == PREFIX
        and any(of.choices and isinstance(of.choices[0], str) for of in sweep.ranges_of(key))
    ]
    return {
        trial: " ".join(str(params[key]).rpartition("/")[2] for key in keys if key in params)
        for trial, params in sweep.params.items()
        if keys
    }


def curves_of(sweep: SweepResults) -> pd.DataFrame:
    """One row for each report of a trial that did not fail: ``kind``, ``trial``, ``epoch``, and of the trial so far the
    ``seconds`` of training and the ``best`` value."""
    columns = ["kind", "trial", "seconds", "epoch", "best"]
    kinds = kinds_of(sweep)
    if not kinds or "epoch_seconds" not in sweep.reports:
        return pd.DataFrame(columns=columns)
    failed = set(sweep.trials.query("state == 'failed'")["trial"])
    every: Any = sweep.reports
    reports: Any = every[~every["trial"].isin(failed)].dropna(subset="value")
    reports = reports.sort_values(["trial", "epoch"])
    trials = reports.groupby("trial", sort=False)
    table = reports.assign(
        kind=[kinds[trial] for trial in reports["trial"]],
        seconds=trials["epoch_seconds"].cumsum(),
        best=trials["value"].cummax(),
    )
    return table[columns].reset_index(drop=True)


def equal_time(sweep: SweepResults) -> pd.DataFrame:
    """One row for each kind, best first, after as many ``seconds`` of one training as every kind has had.

    ``trial`` is the kind's best one by then, ``score`` its best value, ``epoch`` where it had that, ``trials`` how many
    the kind had in all. The time is long enough for the first epoch of every kind.
    """
    table: Any = curves_of(sweep)
    columns = ["kind", "seconds", "score", "trial", "epoch", "trials"]
    if table["kind"].nunique() < 2:
        return pd.DataFrame(columns=columns)
    of_kind = table.groupby("kind")["seconds"]
    seconds = max(float(of_kind.max().min()), float(of_kind.min().max()))
    rows: list[dict[str, Any]] = []
    for kind, reports in table.groupby("kind"):
        by_then = reports[reports["seconds"] <= seconds]
        best = by_then.loc[by_then["best"].idxmax()]
        row = {"kind": kind, "seconds": seconds, "score": best["best"], "trial": best["trial"], "epoch": best["epoch"]}
        rows.append(row | {"trials": reports["trial"].nunique()})
    return pd.DataFrame(rows, columns=columns).sort_values("score", ascending=False).reset_index(drop=True)


def draw_equal_time(sweep: SweepResults, width: float = WIDTH) -> FigureAndTable:
    """The best of each kind over the seconds of one training; dotted: as long as every kind was trained."""
    ranking = equal_time(sweep)
    if len(ranking) < 2:
        return None
    table: Any = curves_of(sweep)
    figure, axes = canvas("seconds of training", sweep.metric, width)
    for kind, colour in zip(ranking["kind"], PALETTE * len(ranking), strict=False):
        own = table[table["kind"] == kind].sort_values("seconds")
        axes.step(own["seconds"], own["best"].cummax(), where="post", color=colour, lw=2, label=kind)
    axes.axvline(ranking["seconds"].iloc[0], color=TRUNK, lw=0.8, ls=":")
    legend_above(axes)
    return figure, ranking
