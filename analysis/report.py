"""A sweep as one HTML file that opens offline: ``python -m analysis.report NAME``; every figure also as PNG and CSV."""

import base64
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

from jinja2 import Environment
from matplotlib import rc_context
from matplotlib.figure import Figure

from analysis.checks import checks
from analysis.figures import FIGURES, NARROW
from analysis.leaderboard import repeat, words_of_picks
from analysis.results import SweepResults, load_sweep, read_verdict
from analysis.rungs import rung_table
from src.atomic import replace_text
from src.errors import Parser, run_command
from src.folders import user_path
from sweeps.leaderboard import in_words, short, short_names

TEMPLATE = Path(__file__).with_name("report.html")
DPI = 130
PREDICTIONS = "predictions"
DIGITS = {"best": 4, "median": 4, "agreement": 2}


def main(argv: list[str]) -> None:
    parser = Parser(prog="python -m analysis.report", description=__doc__)
    parser.add_argument("name", help="the sweep's folder under outputs/sweeps")
    parser.add_argument("--out", type=user_path, help="folder to write into (default: report/ in the sweep's)")
    parser.add_argument("--output-root", type=user_path, help="the output_root of the sweep, if not the configured one")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    options = parser.parse_args(argv)
    sweep = load_sweep(options.name, options.output_root)
    print(f"Wrote {write_report(sweep, options.out or sweep.folder / 'report')}")


def write_report(sweep: SweepResults, folder: Path) -> Path:
    """Write ``report.html`` and the figures into ``folder``; returns the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    figures: list[dict[str, str]] = []
    for name, (caption, draw) in FIGURES.items():
        if (drawn := draw(sweep)) is not None:
            figure, table = drawn
            (folder / f"{name}.png").write_bytes(picture(figure))
            table.to_csv(folder / f"{name}.csv", index=False)
            found = {"name": name, "caption": caption, "wide": embedded(picture(figure, "svg"))}
            if (small := draw(sweep, NARROW)) is not None:
                figures.append(found | {"narrow": embedded(picture(small[0], "svg"))})
    if (content := predictions(sweep)) is not None:
        (folder / f"{PREDICTIONS}.png").write_bytes(content)
    names = [name.replace("_", " ") for name in short_names(sweep.parameters)]
    page = (
        Environment(autoescape=True, trim_blocks=True)
        .from_string(TEMPLATE.read_text())
        .render(
            sweep=sweep,
            question=str(sweep.about.get("question", "")),
            answer=answer(sweep),
            checks=checks(sweep),
            best=sweep.params[sweep.ranked["trial"].iloc[0]] if len(sweep.ranked) else {},
            short=short,
            spent=spent(sweep),
            figures=figures,
            predictions=content and embedded(content, "png"),
            heads=["trial", "best", "at epoch", "of", "state", "origin", *names],
            numbers=(1, 2, 3),
            trials=rows(sweep),
            repeat=repeat(sweep, "TRIAL"),
            rungs=rung_lines(sweep),
            failures=sweep.trials.query("state == 'failed'").to_dict("records"),
            origin=origin(sweep),
        )
    )
    path = folder / "report.html"
    replace_text(path, page)
    return path


def picture(figure: Figure, kind: str = "png") -> bytes:
    """A figure as a file; the same figure is the same file."""
    buffer = BytesIO()
    with rc_context({"svg.hashsalt": "report"}):
        figure.savefig(buffer, format=kind, dpi=DPI, metadata={"Date": None} if kind == "svg" else None)
    return buffer.getvalue()


def embedded(content: bytes, kind: str = "svg+xml") -> str:
    """A picture as an address that holds it."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def predictions(sweep: SweepResults) -> bytes | None:
    """The best trial's picture of its predictions; None if there is none."""
    if sweep.ranked.empty:
        return None
    path = sweep.folder / str(sweep.ranked["trial"].iloc[0]) / "results" / "val_predictions.png"
    return path.read_bytes() if path.is_file() else None


def answer(sweep: SweepResults) -> list[str]:
    """The result in sentences: the verdict of fresh seeds if there is one, and what the search has found."""
    folder = sweep.find_verdict()
    verdict: dict[str, Any] = read_verdict(folder) if folder else {}
    if sweep.ranked.empty:
        return ["No trial has a score yet."]
    best = sweep.ranked.iloc[0].to_dict()
    beside = ", the default" if best["trial"] == sweep.default else f"; the default has {score_of_default(sweep)}"
    found = f"In the search, {best['trial']} was the best: {sweep.metric} {best['score']:.4f} on one seed{beside}."
    doubt = (
        []
        if best["trial"] in verdict.get("contenders", [])
        else [f"How sure that is, retrain-best {sweep.name} says: the best of many is too good."]
    )
    return [*verdict.get("sentences", []), found, *doubt, *words_of_picks(sweep)]


def score_of_default(sweep: SweepResults) -> str:
    """The default's score in the search, with its epochs where it was not trained to the end."""
    rows = (row for row in sweep.ranked.to_dict("records") if row["trial"] == sweep.default)
    if (row := next(rows, None)) is None:
        return "no score"
    short_of = "" if row["state"] == "complete" else f" after {row['epochs']} of {sweep.rungs[-1]} epochs"
    return f"{row['score']:.4f}{short_of}"


def spent(sweep: SweepResults) -> str:
    """What the sweep has taken."""
    epochs, hours = sum(sweep.trials["epochs"].tolist()), sum(sweep.trials["seconds"].tolist()) / 3600
    ended = sweep.trials[sweep.trials["state"].isin(["complete", "stopped"])]
    spared = len(ended) * sweep.rungs[-1] - sum(ended["epochs"].tolist())
    saved = f"; stopping early has spared {spared} more" if spared else ""
    took = f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.0f} minutes"
    return f"{len(sweep.trials)} trials, {epochs} epochs, {took} of training{saved}."


def rows(sweep: SweepResults) -> list[list[str]]:
    """The table of trials, best first."""
    found: list[list[str]] = []
    for row in sweep.trials.to_dict("records"):
        score = "-" if row["score"] != row["score"] else f"{row['score']:.4f}"  # nan
        params = [short(sweep.params[row["trial"]].get(key, "")) for key in sweep.parameters]
        state = in_words(row["state"], sweep.micro_batches.get(row["trial"]))
        head = [row["trial"], score, str(row["best_epoch"]), str(row["epochs"]), state, row["origin"]]
        found.append([*head, *params])
    return found


def rung_lines(sweep: SweepResults) -> list[list[str]]:
    """``rung_table`` as texts."""
    return [
        [str(row["epoch"]), str(row["reached"]), str(row["went_on"])]
        + ["-" if row[name] != row[name] else f"{row[name]:.{digits}f}" for name, digits in DIGITS.items()]
        for row in rung_table(sweep).to_dict("records")
    ]


def origin(sweep: SweepResults) -> dict[str, str]:
    """What one must know to repeat the sweep."""
    made: dict[str, Any] = sweep.about["provenance"]
    packages = ", ".join(f"{name} {version}" for name, version in made["packages"].items() if version)
    return {
        "state": sweep.state,
        "begun": made["time"],
        "commit": f"{made['commit']}{' and changes that were not committed' if made['dirty'] else ''}",
        "search seed": str(sweep.about["search_seed"]),
        "rungs": f"{sweep.rungs}, {sweep.about['scheduler']['described']}",
        "fixed": " ".join(sweep.about["fixed"]),
        "machine": f"{made['machine']}, Python {made['python']}",
        "packages": packages,
        "folder": str(sweep.folder),
    }


if __name__ == "__main__":
    sys.exit(run_command(main))
