"""A verdict as the user gets it: on the screen, and as ``verdict.md``, ``runs.csv``, ``best.yaml`` and a network."""

import csv
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from analysis.intervals import Interval
from analysis.retrain.race import SEED
from analysis.retrain.retraining import Retraining
from analysis.verdict import Line, Run, Searched, Verdict, judge, span
from src.atomic import replace_text, replaced_file
from src.config.overrides import Overrides, save_overrides
from src.errors import UserError
from src.models.checkpoint import link_checkpoint
from src.provenance import provenance
from src.tables import fitted
from trainable.trial import trial_overrides

PAGE = """\
# {name}: which configuration to use

{sentences}

Use `best_model.pth`: {chosen}, seed {seed}, the best of its seeds on validation; threshold {threshold:.3f}.

{table}

{out}
{parameters}

{about}

The same network again:

    {repeat}
"""

HEADS = ("trial", "seeds", "search", "validation", "luck", "test", "±", "95 %", "gain", "95 %", "s per epoch")
"""Luck: what the score in the search was better by than validation on fresh seeds. Gain: over the default, on test.

A score of the search with another number of epochs has them in brackets beside it, and no luck: luck is not all that it
differs by.
"""


def conclude(retraining: Retraining, console: Console) -> None:
    """Score what was trained, print and write the answer. If nothing can be said, that is a ``UserError``."""
    folder, race = retraining.plan.folder, retraining.race
    trials = retraining.trials
    runs = retraining.runs()
    write_runs(rows_of(retraining, runs), folder / "runs.csv")
    if not any(run.contender == race.default for run in runs):
        raise UserError(
            f"No training of the default came to its end, so there is nothing to compare with: {folder / 'runs.csv'}."
        )
    known = {name: Searched(contender.score, contender.epochs) for name, contender in race.contenders.items()}
    verdict = judge(runs, known, race.default, retraining.groups(), race.out(trials))
    best = max((run for run in runs if run.contender == verdict.chosen), key=lambda run: run.validated)
    overrides = chosen_overrides(retraining, verdict.chosen)
    save_overrides(overrides, folder / "best.yaml")
    link_checkpoint(folder / best.folder / "checkpoints" / "best_model.pth", folder / "best_model.pth")
    replace_text(folder / "verdict.md", page(retraining, verdict, best))
    kept = {"sweep_begun": retraining.sweep_begun, "contenders": list(race.contenders)}
    kept |= {"chosen": verdict.chosen, "sentences": verdict.sentences, "epochs": retraining.epochs}
    replace_text(folder / "verdict.json", json.dumps(kept))
    for table in drawn(verdict, race.default, retraining.epochs, console.width):
        console.print(table)
    for sentence in verdict.sentences:
        console.print(sentence)
    console.print(f"Use: {folder / 'best_model.pth'} ({name_of(verdict.chosen, race.default)}, seed {best.seed})")
    console.print(f"The same again: {repeat(folder, best)}")
    console.print(f"With another seed: python run.py {shlex.quote(str(folder / 'best.yaml'))} seed=7")
    console.print(f"The whole answer: {folder / 'verdict.md'}")


def chosen_overrides(retraining: Retraining, chosen: str) -> Overrides:
    """The configuration for any machine: a run has all the cores, where a trial of the race had its share."""
    return trial_overrides(retraining.plan.fixed.without("threads"), retraining.race.contenders[chosen].params)


def repeat(folder: Path, run: Run) -> str:
    return f"python run.py {shlex.quote(str(folder / run.folder / 'overrides.yaml'))}"


def name_of(contender: str, default: str) -> str:
    return f"{contender} (default)" if contender == default else contender


def rows_of(retraining: Retraining, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """A line a training, also of those that failed."""
    by_folder = {run.folder: run for run in runs}
    lines: list[dict[str, Any]] = []
    for trial in retraining.trials:
        run = by_folder.get(trial.name)
        lines.append(
            {
                "configuration": retraining.race.contender_of(trial),
                "seed": trial.params[SEED],
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


def cells(line: Line, default: str, epochs: int) -> list[str]:
    """A configuration as texts, in the order of ``HEADS``; ``epochs``: of each training with a fresh seed."""
    gain = ["", ""] if line.gain is None else [f"{line.gain.mean:+.4f}", span(line.gain) if line.gain.sure else "-"]
    test = [f"{line.test.mean:.4f}", f"{line.test.sd:.4f}" if line.test.seeds > 1 else "-", within(line.test)]
    name = name_of(line.contender, default)
    head = [name, str(line.test.seeds), searched(line.searched, epochs), f"{line.validated:.4f}", luck(line, epochs)]
    return [*head, *test, *gain, f"{line.epoch_seconds:.1f}"]


def searched(known: Searched, epochs: int) -> str:
    """The score in the search; with its epochs, where they are others than those of fresh seeds."""
    if known.score is None:
        return "-"
    return f"{known.score:.4f}{f' ({known.epochs})' if known.epochs not in (0, epochs) else ''}"


def luck(line: Line, epochs: int) -> str:
    """What the search's score was better by than those of fresh seeds, if they were trained as long."""
    known = line.searched
    return "-" if known.score is None or known.epochs != epochs else f"{known.score - line.validated:+.4f}"


def within(found: Interval) -> str:
    """The interval of a score, as far as there are such scores."""
    return f"[{max(0.0, found.low):.4f}, {min(1.0, found.high):.4f}]" if found.sure else "-"


def drawn(verdict: Verdict, default: str, epochs: int, width: int) -> Iterator[Table]:
    """The table for a terminal of that width."""
    styles = ["bold" if line.contender == verdict.chosen else "dim" if line.out else None for line in verdict.lines]
    return fitted(HEADS, [cells(line, default, epochs) for line in verdict.lines], width, ("trial",), styles)


def page(retraining: Retraining, verdict: Verdict, best: Run) -> str:
    """``verdict.md``."""
    default = retraining.race.default
    lines = [HEADS, ["---"] * len(HEADS), *(cells(line, default, retraining.epochs) for line in verdict.lines)]
    return PAGE.format(
        name=retraining.plan.name,
        sentences="\n".join(verdict.sentences),
        chosen=name_of(verdict.chosen, default),
        seed=best.seed,
        threshold=best.threshold,
        table=markdown(lines),
        out="".join(f"- {line.contender}: {line.out}.\n" for line in verdict.lines if line.out),
        parameters=markdown(parameters(retraining)),
        about="\n".join(about(retraining, verdict)),
        repeat=repeat(retraining.plan.folder, best),
    )


def parameters(retraining: Retraining) -> list[list[str]]:
    """A table of what the configurations differ in."""
    race = retraining.race
    keys = list(dict.fromkeys(key for contender in race.contenders.values() for key in contender.params))
    lines = [
        [name_of(name, race.default), *(str(contender.params.get(key, "")) for key in keys)]
        for name, contender in race.contenders.items()
    ]
    return [["trial", *keys], ["---"] * (len(keys) + 1), *lines]


def about(retraining: Retraining, verdict: Verdict) -> list[str]:
    """What one must know to believe the numbers."""
    seeds = max(line.test.seeds for line in verdict.lines)
    spec, data = retraining.plan.spec, retraining.plan.config.data
    groups, made = retraining.groups(), provenance()
    grouped = f"in {len(set(groups))} groups" if len(set(groups)) < len(groups) else "each a group of its own"
    return [
        f"- {spec.metric} of the best epoch; on test at validation's threshold, or at 0.5 if that is its definition.",
        "- luck: the score in the search less validation on fresh seeds, where both were trained as long; a search of "
        "other epochs has them in brackets. gain: test less the default's, seed by seed.",
        f"- intervals: 95 %, over seeds and {len(groups)} test images, {grouped}.",
        f"- {retraining.epochs} epochs each; up to {seeds} seeds each, none of them the search's.",
        f"- data: {data.root}; commit {made['commit']}{', changed since' if made['dirty'] else ''}.",
    ]


def markdown(lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
