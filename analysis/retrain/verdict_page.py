"""Prints a verdict and writes ``verdict.md``, ``verdict.json``, ``runs.csv``, ``best.yaml`` and ``best_model.pth``."""

import csv
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from analysis.results import read_verdict
from analysis.retrain.ensemble import FOLDER as ENSEMBLE
from analysis.retrain.ensemble import compare_ensemble
from analysis.retrain.race import block_of
from analysis.retrain.retraining import Retraining, best_checkpoint
from analysis.retrain.verdict_table import HEADS, LEGEND, cells, markdown, name_of, render_tables
from analysis.verdict import ComparedOn, Run, SearchScore, Verdict, judge
from src.atomic import replace_text, replaced_file
from src.config.overrides import Overrides, save_overrides
from src.errors import UserError
from src.models.checkpoint import link_checkpoint
from src.provenance import provenance
from src.rankable import RANKABLE
from trainable.overrides import trial_overrides

MODEL = "best_model.pth"
PAGE = """\
# {name}: which configuration to use

{sentences}

Use `best_model.pth`: {chosen}, {which} (its best network on validation), threshold {threshold:.3f}. This one
network has IoU {iou:.4f} on {scored_on}; the table has the mean of all its trainings.

{table}

{out}
{parameters}

{about}

To train the same network again:

    {repeat}
"""


def write_verdict(retraining: Retraining, console: Console, ensemble: bool = False) -> tuple[str, float]:
    """Score the trainings, print and write the verdict; returns the chosen configuration and its mean test score.

    Without a complete default it is a ``UserError``. With ``ensemble``, or if an earlier verdict had it, the mean of
    the chosen configuration's networks is compared with the best of them.
    """
    folder, race = retraining.plan.folder, retraining.race
    trials = retraining.trials
    runs = retraining.runs()
    write_runs(rows_of(retraining, runs), folder / "runs.csv")
    compared = retraining.pooled(runs)
    if not any(run.contender == race.default for run in compared):
        raise UserError(
            f"No training of the default is complete, so there is nothing to compare with: see {folder / 'runs.csv'}."
        )
    scores = {name: SearchScore(contender.score, contender.epochs) for name, contender in race.contenders.items()}
    broken = race.contenders[race.default].broken
    verdict = judge(compared, scores, race.default, retraining.images(), race.dropped(trials), broken)
    best = max((run for run in runs if run.contender == verdict.chosen), key=lambda run: run.validated)
    overrides = chosen_overrides(retraining, verdict.chosen)
    save_overrides(overrides, folder / "best.yaml")
    content: dict[str, Any] = {"sweep_begun": retraining.sweep_begun, "contenders": list(race.contenders)}
    content |= link_best(folder, best, console)
    if ensemble or (folder / ENSEMBLE).is_dir():
        result = compare_ensemble(retraining, runs, best)
        alone = f"{best.contender} has one complete training, so there is no mean of several networks to compare."
        verdict = replace(verdict, sentences=[*verdict.sentences, *(result.sentences if result else [alone])])
        content["ensemble"] = result and result.content()
    replace_text(folder / "verdict.md", page(retraining, verdict, best))
    content |= {"chosen": verdict.chosen, "sentences": verdict.sentences, "epochs": retraining.epochs}
    replace_text(folder / "verdict.json", json.dumps(content))
    print_verdict(retraining, verdict, best, console)
    score = next(result.test.mean for result in verdict.results if result.contender == verdict.chosen)
    return verdict.chosen, score


def link_best(folder: Path, best: Run, console: Console) -> dict[str, Any]:
    """Make ``best_model.pth`` the network of this training, and say so if it was another; returns what it is."""
    network = {"trial": best.contender, "which": which(best), "scored_on": scored_on(best)}
    network |= {"threshold": best.threshold, **best.scores}
    before = read_verdict(folder).get("network", network) if (folder / "verdict.json").is_file() else network
    if [before[key] for key in ("trial", "which")] != [network[key] for key in ("trial", "which")]:
        console.print(f"{MODEL} was {before['trial']}, {before['which']}; it is now {best.contender}, {which(best)}.")
    link_checkpoint(best_checkpoint(folder / best.folder), folder / MODEL)
    return {"network": network}


def print_verdict(retraining: Retraining, verdict: Verdict, best: Run, console: Console) -> None:
    """Print the table, the sentences, and the commands that use the answer."""
    folder, default = retraining.plan.folder, retraining.race.default
    for table in render_tables(verdict, default, retraining.epochs, console.width):
        console.print(table)
    console.print(LEGEND)
    for sentence in verdict.sentences:
        console.print(sentence)
    alone = f"IoU {best.scores['iou']:.4f} on {scored_on(best)}; the table has the mean of all its trainings"
    console.print(f"Use: {folder / MODEL} ({name_of(verdict.chosen, default)}, {which(best)}: {alone})")
    console.print(f"To train this one network again: {rerun_command(folder, best)}")
    console.print(f"With another seed: python run.py {shlex.quote(str(folder / 'best.yaml'))} seed=7")
    console.print(f"Full verdict: {folder / 'verdict.md'}; as a page: python -m analysis.report {folder.name}")


def chosen_overrides(retraining: Retraining, chosen: str) -> Overrides:
    """The overrides of the chosen configuration without ``threads``, so that a single run uses all cores."""
    return trial_overrides(retraining.plan.fixed.without("threads"), retraining.race.contenders[chosen].params)


def which(run: Run) -> str:
    """Which training of its configuration a run is."""
    return f"seed {run.seed}{f', fold {run.fold}' if run.fold else ''}"


def scored_on(run: Run) -> str:
    """The photographs on which the scores of a run are."""
    return "the test part of its fold" if run.fold else "the test split"


def rerun_command(folder: Path, run: Run) -> str:
    return f"python run.py {shlex.quote(str(folder / run.folder / 'overrides.yaml'))}"


def rows_of(retraining: Retraining, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """One row per training, including those that failed."""
    by_folder = {run.folder: run for run in runs}
    lines: list[dict[str, Any]] = []
    for trial in retraining.trials:
        run = by_folder.get(trial.name)
        lines.append(
            {
                "configuration": retraining.race.contender_of(trial),
                "seed": block_of(trial).seed,
                "fold": block_of(trial).fold,
                "state": trial.state,
                "epochs": trial.epochs,
                retraining.plan.spec.metric: trial.score,
                "test/iou": run and run.scores["iou"],
                "test/f1": run and run.scores["f1"],
                "threshold": run and run.threshold,
                "seconds": round(trial.seconds, 2),
                "folder": trial.name,
                "reason": trial.reason,
            }
        )
    return lines


def write_runs(lines: Sequence[Mapping[str, Any]], path: Path) -> None:
    with replaced_file(path) as partial, partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)


def page(retraining: Retraining, verdict: Verdict, best: Run) -> str:
    """The text of ``verdict.md``."""
    default = retraining.race.default
    lines = [HEADS, ["---"] * len(HEADS), *(cells(line, default, retraining.epochs) for line in verdict.results)]
    return PAGE.format(
        name=retraining.plan.name,
        sentences="\n".join(verdict.sentences),
        chosen=name_of(verdict.chosen, default),
        which=which(best),
        threshold=best.threshold,
        iou=best.scores["iou"],
        scored_on=scored_on(best),
        table=markdown(lines),
        out="".join(f"- {line.contender}: {line.dropped}.\n" for line in verdict.results if line.dropped),
        parameters=markdown(parameters(retraining)),
        about="\n".join(notes(retraining, verdict)),
        repeat=rerun_command(retraining.plan.folder, best),
    )


def parameters(retraining: Retraining) -> list[list[str]]:
    """A table of the parameters in which the configurations differ."""
    race = retraining.race
    keys = list(dict.fromkeys(key for contender in race.contenders.values() for key in contender.params))
    lines = [
        [name_of(name, race.default), *(str(contender.params.get(key, "")) for key in keys)]
        for name, contender in race.contenders.items()
    ]
    return [["trial", *keys], ["---"] * (len(keys) + 1), *lines]


def notes(retraining: Retraining, verdict: Verdict) -> list[str]:
    """Notes on the table: metric, columns, intervals, trainings and data."""
    seeds = max(line.test.seeds for line in verdict.results)
    spec, data = retraining.plan.spec, retraining.plan.config.data
    images, made = retraining.images(), provenance()
    chosen = RANKABLE[spec.metric].at_best_threshold
    threshold = "the threshold that was chosen on validation" if chosen else "the threshold 0.5"
    return [
        f"- {spec.metric} of the best epoch; on test at {threshold}.",
        f"- {LEGEND}",
        f"- intervals: 95 %, {sources(images)}.",
        f"- at most {retraining.epochs} epochs each; up to {seeds} seeds each, none of them used in the search.",
        f"- data: {data.root}; commit {made['commit']}{', changed since' if made['dirty'] else ''}.",
    ]


def sources(images: ComparedOn) -> str:
    """What the intervals are over, in words."""
    count = len(set(images.groups))
    if images.by_fold:
        return f"over {count} folds of {len(images.groups)} images, each scored by networks that were not trained on it"
    grouped = f"in {count} groups" if count < len(images.groups) else "each in a separate group"
    return f"over seeds and {len(images.groups)} test images, {grouped}"
