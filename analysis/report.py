"""Writes a report of a sweep: ``python -m analysis.report NAME``: one HTML file, and each figure as PNG and CSV."""

import shlex
import sys
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from analysis.canvas import NARROW
from analysis.checks import checks
from analysis.costs import front_rows
from analysis.equal_time import equal_time
from analysis.figures import FIGURES
from analysis.leaderboard import disagreement_lines, rerun_command
from analysis.results import SweepResults, load_sweep, read_busy, read_verdict
from analysis.rungs import rung_table
from src.atomic import replace_text
from src.config.compose import load_config
from src.errors import Parser, run_command
from src.folders import user_path
from src.pages import data_uri, render
from sweeps.leaderboard import in_words, short, short_names

TEMPLATE = Path(__file__).with_name("report.html")
DPI = 130
PREDICTIONS = "predictions"
DIGITS = {"best": 4, "median": 4, "agreement": 2}


def main(argv: list[str]) -> None:
    parser = Parser(prog="python -m analysis.report", description=__doc__)
    parser.add_argument("name", help="the sweep's folder under outputs/sweeps")
    parser.add_argument("--out", type=user_path, help="folder for the report (default: report/ in the sweep's folder)")
    parser.add_argument(
        "--output-root", type=user_path, help="the output_root of the sweep (default: the configured one)"
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    options = parser.parse_args(argv)
    sweep = load_sweep(options.name, options.output_root)
    print(f"Wrote {write_report(sweep, options.out or sweep.folder / 'report')}")
    print("Open it in a browser: the best settings, what made the difference, and what to be careful about.")
    if sweep.find_verdict() is None:
        print(f"How much better they are than the default, and how sure that is: retrain-best {sweep.name}")


def write_report(sweep: SweepResults, folder: Path) -> Path:
    """Write ``report.html`` and the figures into ``folder``; returns the path of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    figures: list[dict[str, str]] = []
    for name, (caption, draw) in FIGURES.items():
        if (drawn := draw(sweep)) is not None:
            figure, table = drawn
            (folder / f"{name}.png").write_bytes(encode_figure(figure))
            table.to_csv(folder / f"{name}.csv", index=False)
            found = {"name": name, "caption": caption, "wide": data_uri(encode_figure(figure, "svg"))}
            if (small := draw(sweep, NARROW)) is not None:
                figures.append(found | {"narrow": data_uri(encode_figure(small[0], "svg"))})
    if (content := predictions(sweep)) is not None:
        (folder / f"{PREDICTIONS}.png").write_bytes(content)
    names = [name.replace("_", " ") for name in short_names(sweep.parameters)]
    page = render(
        TEMPLATE,
        sweep=sweep,
        question=str(sweep.about.get("question", "")),
        answer=answer(sweep),
        checks=checks(sweep),
        best=sweep.params[sweep.ranked["trial"].iloc[0]] if len(sweep.ranked) else {},
        short=short,
        spent=spent(sweep),
        figures=figures,
        predictions=content and data_uri(content, "png"),
        heads=["trial", "best", "at epoch", "of", "state", "origin", *names],
        numbers=(1, 2, 3),
        trials=rows(sweep),
        repeat=rerun_command(sweep, "TRIAL"),
        rungs=rung_lines(sweep),
        fronts=front_rows(sweep),
        kinds=kind_rows(sweep),
        skipped=sweep.trials.query("state == 'skipped'").to_dict("records"),
        failures=sweep.trials.query("state == 'failed'").to_dict("records"),
        origin=provenance_rows(sweep),
    )
    path = folder / "report.html"
    replace_text(path, page)
    return path


def encode_figure(figure: Figure, kind: str = "png") -> bytes:
    """The bytes of a figure's file. Equal figures give equal bytes."""
    buffer = BytesIO()
    with rc_context({"svg.hashsalt": "report"}):
        figure.savefig(buffer, format=kind, dpi=DPI, metadata={"Date": None} if kind == "svg" else None)
    return buffer.getvalue()


def predictions(sweep: SweepResults) -> bytes | None:
    """The picture with the best trial's predictions; None if it does not exist."""
    if sweep.ranked.empty:
        return None
    path = sweep.folder / str(sweep.ranked["trial"].iloc[0]) / "results" / "val_predictions.png"
    return path.read_bytes() if path.is_file() else None


def answer(sweep: SweepResults) -> list[str]:
    """The result in sentences: the verdict of ``retrain-best`` if there is one, and the best trial of the search."""
    folder = sweep.find_verdict()
    verdict: dict[str, Any] = read_verdict(folder) if folder else {}
    if sweep.ranked.empty:
        return ["No trial has a score yet."]
    best = sweep.ranked.iloc[0].to_dict()
    default = ", the default" if best["trial"] == sweep.default else f"; the default has {score_of_default(sweep)}"
    result = f"In the search, {best['trial']} was the best: {sweep.metric} {best['score']:.4f} on one seed{default}."
    caution = (
        []
        if best["trial"] in verdict.get("contenders", [])
        else [f"The best of many trials looks better than it is: {retrain_command(sweep)} checks it on fresh seeds."]
    )
    return [
        *verdict.get("sentences", []),
        *network_lines(folder, verdict),
        result,
        *caution,
        *disagreement_lines(sweep),
    ]


def network_lines(folder: Path | None, verdict: Mapping[str, Any]) -> Iterator[str]:
    """The network that a verdict has chosen, and its score; verdicts from before 2026-12 do not say it."""
    if folder and (network := verdict.get("network")):
        yield (
            f"The network: {folder / 'best_model.pth'} ({network['trial']}, {network['which']}), with IoU "
            f"{network['iou']:.4f} on {network['scored_on']} at the threshold {network['threshold']:.3f}."
        )


def retrain_command(sweep: SweepResults) -> str:
    """The command that retrains the best trials, from wherever the sweep is."""
    root = sweep.folder.parents[1]
    usual = root.resolve() == load_config().output_root.resolve()
    return shlex.join(["retrain-best", sweep.name, *([] if usual else ["--output-root", str(root)])])


def score_of_default(sweep: SweepResults) -> str:
    """The default's score in the search, with its epochs where it was not trained to the end."""
    rows = (row for row in sweep.ranked.to_dict("records") if row["trial"] == sweep.default)
    if (row := next(rows, None)) is None:
        return "no score"
    epochs = "" if row["state"] == "complete" else f" after {row['epochs']} of {sweep.rungs[-1]} epochs"
    return f"{row['score']:.4f}{epochs}"


def spent(sweep: SweepResults) -> str:
    """The cost of the sweep in words: trials, epochs and hours."""
    epochs, hours = sum(sweep.trials["epochs"].tolist()), sum(sweep.trials["seconds"].tolist()) / 3600
    ended = sweep.trials[sweep.trials["state"].isin(["complete", "stopped"])]
    saved = len(ended) * sweep.rungs[-1] - sum(ended["epochs"].tolist())
    more = f"; early stopping saved {saved} more epochs" if saved else ""
    took = f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.0f} minutes"
    places = read_busy(sweep.folder)
    busy = f" {str(places).capitalize()}." if places.whole else ""
    return f"{len(sweep.trials)} trials, {epochs} epochs, {took} of training{more}.{busy}"


def rows(sweep: SweepResults) -> list[list[str]]:
    """The rows of the table of trials, best first."""
    table: list[list[str]] = []
    for row in sweep.trials.to_dict("records"):
        score = "-" if row["score"] != row["score"] else f"{row['score']:.4f}"  # nan
        params = [short(sweep.params[row["trial"]].get(key, "")) for key in sweep.parameters]
        state = in_words(row["state"], sweep.micro_batches.get(row["trial"]))
        head = [row["trial"], score, str(row["best_epoch"]), str(row["epochs"]), state, row["origin"]]
        table.append([*head, *params])
    return table


def rung_lines(sweep: SweepResults) -> list[list[str]]:
    """The rows of ``rung_table`` as texts."""
    return [
        [str(row["epoch"]), str(row["reached"]), str(row["went_on"])]
        + ["-" if row[name] != row[name] else f"{row[name]:.{digits}f}" for name, digits in DIGITS.items()]
        for row in rung_table(sweep).to_dict("records")
    ]


def kind_rows(sweep: SweepResults) -> list[list[str]]:
    """The rows of ``equal_time`` as texts."""
    return [
        [
            row["kind"],
            f"{row['score']:.4f}",
            f"{row['seconds']:.0f}",
            str(row["epoch"]),
            row["trial"],
            str(row["trials"]),
        ]
        for row in equal_time(sweep).to_dict("records")
    ]


def provenance_rows(sweep: SweepResults) -> dict[str, str]:
    """Everything that is needed to repeat the sweep."""
    made: dict[str, Any] = sweep.about["provenance"]
    packages = ", ".join(f"{name} {version}" for name, version in made["packages"].items() if version)
    return {
        "state": sweep.state,
        "begun": made["time"],
        "commit": f"{made['commit']}{' with uncommitted changes' if made['dirty'] else ''}",
        "search seed": str(sweep.about["search_seed"]),
        "rungs": f"{sweep.rungs}, {sweep.about['scheduler']['described']}",
        "fixed": " ".join(sweep.about["fixed"]),
        "machine": f"{made['machine']}, Python {made['python']}",
        "nodes": ", ".join(sweep.about["resources"].get("nodes", [])) or "this machine alone",
        "packages": packages,
        "folder": str(sweep.folder),
    }


if __name__ == "__main__":
    sys.exit(run_command(main))
