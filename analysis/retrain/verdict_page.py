"""Prints a verdict and writes ``verdict.md``, ``verdict.json``, ``runs.csv``, ``best.yaml`` and ``best_model.pth``."""

import csv
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from analysis.intervals import Interval
from analysis.retrain.ensemble import FOLDER as ENSEMBLE
from analysis.retrain.ensemble import compare_ensemble
from analysis.retrain.race import block_of
from analysis.retrain.retraining import Retraining, best_checkpoint
from analysis.verdict import ComparedOn, ConfigResult, Run, SearchScore, Verdict, interval_text, judge
from src.atomic import replace_text, replaced_file
from src.config.overrides import Overrides, save_overrides
from src.errors import UserError
from src.models.checkpoint import link_checkpoint
from src.provenance import provenance
from src.rankable import RANKABLE
from src.tables import fitted
from trainable.overrides import trial_overrides

PAGE = """\
# {name}: which configuration to use

{sentences}

Use `best_model.pth`: {chosen}, {which} (its best network on validation), threshold {threshold:.3f}.

{table}

{out}
{parameters}

{about}

To train the same network again:

    {repeat}
"""

HEADS = (
    "trial",
    "seeds",
    "search",
    "validation",
    "optimism",
    "test",
    "sd",
    "test 95 %",
    "gain",
    "gain 95 %",
    "s per epoch",
)
"""The columns of the verdict's table. Sd: standard deviation over the seeds. Optimism: search score minus validation on
fresh seeds. Gain: test score minus the default's.

If the search trained another number of epochs, that number is in brackets after the search score, and optimism is left
out, because the number of epochs also changes the score.
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
    link_checkpoint(best_checkpoint(folder / best.folder), folder / "best_model.pth")
    content: dict[str, Any] = {"sweep_begun": retraining.sweep_begun, "contenders": list(race.contenders)}
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


def print_verdict(retraining: Retraining, verdict: Verdict, best: Run, console: Console) -> None:
    """Print the table, the sentences, and the commands that use the answer."""
    folder, default = retraining.plan.folder, retraining.race.default
    for table in render_tables(verdict, default, retraining.epochs, console.width):
        console.print(table)
    for sentence in verdict.sentences:
        console.print(sentence)
    console.print(f"Use: {folder / 'best_model.pth'} ({name_of(verdict.chosen, default)}, {which(best)})")
    console.print(f"To train it again: {rerun_command(folder, best)}")
    console.print(f"With another seed: python run.py {shlex.quote(str(folder / 'best.yaml'))} seed=7")
    console.print(f"Full verdict: {folder / 'verdict.md'}; as a page: python -m analysis.report {folder.name}")


def chosen_overrides(retraining: Retraining, chosen: str) -> Overrides:
    """The overrides of the chosen configuration without ``threads``, so that a single run uses all cores."""
    return trial_overrides(retraining.plan.fixed.without("threads"), retraining.race.contenders[chosen].params)


def which(run: Run) -> str:
    """Which training of its configuration a run is."""
    return f"seed {run.seed}{f', fold {run.fold}' if run.fold else ''}"


def rerun_command(folder: Path, run: Run) -> str:
    return f"python run.py {shlex.quote(str(folder / run.folder / 'overrides.yaml'))}"


def name_of(contender: str, default: str) -> str:
    return f"{contender} (default)" if contender == default else contender


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


def cells(line: ConfigResult, default: str, epochs: int) -> list[str]:
    """The cells of a configuration in the order of ``HEADS``. ``epochs``: the epochs of each retraining."""
    gain = (
        ["", ""]
        if line.gain is None
        else [f"{line.gain.mean:+.4f}", interval_text(line.gain) if line.gain.is_defined else "-"]
    )
    test = [f"{line.test.mean:.4f}", f"{line.test.sd:.4f}" if line.test.sd > 0 else "-", score_interval(line.test)]
    name = name_of(line.contender, default)
    head = [
        name,
        str(line.test.seeds),
        search_cell(line.search, epochs),
        f"{line.validated:.4f}",
        optimism(line, epochs),
    ]
    return [*head, *test, *gain, f"{line.epoch_seconds:.1f}"]


def search_cell(search: SearchScore, epochs: int) -> str:
    """The score in the search; with its epochs in brackets if they differ from those of the retraining."""
    if search.score is None:
        return "-"
    return f"{search.score:.4f}{f' ({search.epochs})' if search.epochs not in (0, epochs) else ''}"


def optimism(line: ConfigResult, epochs: int) -> str:
    """Search score minus validation on fresh seeds, if both were trained for the same number of epochs."""
    search = line.search
    return "-" if search.score is None or search.epochs != epochs else f"{search.score - line.validated:+.4f}"


def score_interval(found: Interval) -> str:
    """The interval of a score, limited to 0 and 1."""
    return f"[{max(0.0, found.low):.4f}, {min(1.0, found.high):.4f}]" if found.is_defined else "-"


def render_tables(verdict: Verdict, default: str, epochs: int, width: int) -> Iterator[Table]:
    """The verdict's table, split to fit ``width``."""
    styles = [
        "bold" if line.contender == verdict.chosen else "dim" if line.dropped else None for line in verdict.results
    ]
    return fitted(HEADS, [cells(line, default, epochs) for line in verdict.results], width, ("trial",), styles)


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
        "- optimism: search score minus validation on fresh seeds, if both were trained for the same number of epochs; "
        "otherwise the search's epochs are in brackets. gain: test score minus the default's, seed by seed.",
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


def markdown(lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
