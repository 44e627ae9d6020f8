"""A sweep from its checks to its leaderboard, one function a stage."""

import logging
import shlex
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from src.cards import Card, absent_card, find_cards
from src.check import quick_problems
from src.config.compose import load_config
from src.config.overrides import Overrides
from src.config.schema import SPLITS
from src.data.cache import open_split
from src.errors import EXIT_FAILED, EXIT_SIGNAL, EXIT_USER, UserError
from src.synthetic import write_dataset
from src.tables import PlainConsole
from sweeps.audit import audit
from sweeps.export import export
from sweeps.identity import identity
from sweeps.leaderboard import ranked, tables, write_csv
from sweeps.ledger import NAME, Ledger, is_finished, writer
from sweeps.plan import SweepPlan, make_plan
from sweeps.ray_requirements import refuse_places
from sweeps.session import begin, changed_packages, open_study, refuse_changes
from sweeps.space import Params, default_point, few_corners
from sweeps.spec import Budget, SweepSpec, question
from sweeps.study import HOURS_OVER, Study
from sweeps.warm_start import Warmth, warmth
from trainable.card_memory import fit_networks, refuse_misfits
from trainable.rehearsal import rehearse
from trainable.resources import choose_cards
from trainable.trial import trial_overrides

SYNTHETIC = Path("data") / "synthetic"

FEW = "all low, all high and each choice; a dry run checks all"
"""Which corners a sweep checks before it starts."""

console = PlainConsole(width=160)


def prepare(
    name: str, spec: SweepSpec, seed: int, accept_data: bool = False, gpu_memory: float | None = None
) -> SweepPlan:
    """Check everything that needs no training: cards, keys and ranges, options, every image of the three splits.

    What would spoil every result is a ``UserError``, unless the data is accepted as it is. ``gpu_memory``: plan for
    cards of so many GiB in place of those of this machine.
    """
    refuse_places()
    root = load_config(spec.fixed).data.root
    nobody_said = root == load_config().data.root and not (root / "train").is_dir()
    if spec.synthetic_without_data and nobody_said:
        console.print(f"No photographs in {root}: searching on synthetic ones, in {SYNTHETIC}.")
        if not SYNTHETIC.is_dir():
            write_dataset(SYNTHETIC)
        spec = replace(spec, fixed=(*spec.fixed, f"data.root={SYNTHETIC}"))
    default_point(spec.space, spec.fixed)  # the likeliest mistakes are in the keys: before anything slow
    config = load_config(spec.fixed)
    cards = cards_for(config.device, spec.budget, gpu_memory)
    data = config.data
    sizes = [len(open_split(data, split)) for split in SPLITS]
    counts = ", ".join(f"{size} {split}" for size, split in zip(sizes, SPLITS, strict=True))
    console.print(f"{name}: images in {data.root}: {counts}")
    problems = quick_problems(data)
    for line in problems if accept_data else ():
        console.print(f"accepted: {line}")
    if problems and not accept_data:
        raise UserError(
            f"{data.root} would give results that mean little:\n" + "\n".join(problems) + "\n"
            f"More: python -m src.check {shlex.quote(str(data.root))}. To go on all the same: --accept-data-warnings."
        )
    plan = make_plan(name, spec, seed, cards)
    return replace(plan, accepted=tuple(problems))


def cards_for(device: str, budget: Budget, gpu_memory: float | None) -> tuple[Card, ...]:
    """The graphics cards to plan for: those of this machine, or made-up ones of ``gpu_memory`` GiB."""
    if gpu_memory is not None and device == "cpu":
        raise UserError("--gpu-memory is for graphics cards, and device=cpu uses none: leave out one of the two.")
    there = find_cards(device) if gpu_memory is None else [absent_card(gpu_memory)] * (budget.gpus or 1)
    return choose_cards(there, budget.gpus, budget.trials_at_once)


def check_corners(plan: SweepPlan, points: Iterable[Params], which: str = FEW) -> list[Overrides]:
    """Compose, build and step these points of the space once each; returns one of each different network.

    ``which``: which corners these are, in words.
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    warnings.simplefilter("ignore")
    points = list(points)
    networks = rehearse((trial_overrides(plan.fixed, point) for point in points), bool(plan.resources.cards))
    console.print(
        f"{len(points)} corners of the space ({which}) make valid configurations; {len(networks)} different networks "
        "and losses train."
    )
    return networks


def check_memory(plan: SweepPlan, networks: Iterable[Overrides], all_of_them: bool = False) -> None:
    """Print how networks fit on a trial's card, or only those whose batches will be halved.

    One that does not fit at all is a ``UserError``.
    """
    fits = fit_networks(networks, plan.resources, plan.fixed)
    if fits and all_of_them:
        console.print(f"memory of a trial on its card: {plan.resources.share_mib} MiB; networks need, by prediction")
    for fit in fits:
        if all_of_them or fit.halved:
            console.print(f"  {fit}")
    refuse_misfits(fits, plan.resources.share_mib)


@dataclass(frozen=True)
class Mode:
    """How a session begins."""

    spec_name: str
    command: dict[str, Any]
    """What the user asked for, for sessions that go on with it."""
    resume: bool = False
    accept_changes: bool = False
    warm_start: Path | None = None
    """The folder of another sweep whose trials this one is to know."""


def search(plan: SweepPlan, mode: Mode) -> int:
    """Rehearse, run all trials, print the leaderboard; returns the exit code."""
    now = identity(plan, mode.spec_name)
    for line in plan.warnings:
        console.print(f"warning: {line}")
    if mode.resume:
        ledger = Ledger(plan.folder / NAME)
        refuse_changes(ledger, now, mode.accept_changes)
        for change in changed_packages(ledger):
            console.print(f"Another version than in the session before: {change}")
        check_memory(plan, [trial_overrides(plan.fixed, point) for point in few_corners(plan.spec.space)])
    else:
        warm = warmth(mode.warm_start, plan) if mode.warm_start else Warmth()
        for line in warm.lines() if mode.warm_start else ():
            console.print(f"From {mode.warm_start}: {line}.")
        check_memory(plan, check_corners(plan, few_corners(plan.spec.space)))
        ledger = begin(plan, warm)
    from sweeps.execution import run_trials  # Ray: seconds to import, and nothing to do before all is checked

    study = open_study(plan, ledger, mode.command, now)
    plan.save(plan.folder / "sweep.yaml", question(mode.spec_name))  # from now on there is something to go on with
    received = run_trials(plan, study, console)
    if study.done:
        study.finish()
    else:
        study.interrupt()
    write_results(plan, study, ledger)
    ledger.close()
    return conclude(plan, study, received, resume_command(plan, mode.spec_name))


def write_results(plan: SweepPlan, study: Study, ledger: Ledger) -> None:
    """What others read of a sweep, made anew from what its ledger holds."""
    try:
        write_csv(study.rows.values(), plan.spec.metric, plan.folder / "leaderboard.csv")
        export(study, ledger, plan.spec.space, plan.name, plan.folder / "study.db")
    except OSError as error:
        raise UserError(f"{error}: the ledger has all of it, and the next session's end writes this again.") from error


def check(folder: Path) -> int:
    """Print what is wrong with a sweep's folder; returns the exit code."""
    problems = audit(folder)
    for problem in problems:
        console.print(problem)
    ahead = ", so files may be ahead of the ledger that was read: ask again" if problems else ""
    if who := writer(folder):
        console.print(f"{who[:1].upper()}{who[1:]} is writing into {folder} just now{ahead}.")
    elif problems and not finished(folder):
        console.print("The last session did not come to its end: --resume goes on, and writes the leaderboard anew.")
    if not problems:
        console.print(f"{folder}: every trial is there once, and ledger, folders and leaderboard say the same.")
    return EXIT_FAILED if problems else 0


def finished(folder: Path) -> bool:
    ledger = Ledger(folder / NAME, read_only=True)
    try:
        return is_finished(ledger)
    finally:
        ledger.close()


def conclude(plan: SweepPlan, study: Study, received: int | None, resume: str) -> int:
    """Print the leaderboard and what to do next; returns the exit code."""
    rows = study.rows.values()
    for table in tables(rows, plan.spec.metric, console.width):
        console.print(table)
    console.print(f"All of it: {plan.folder / 'leaderboard.csv'}, one folder a trial beside.")
    if received is not None and not study.done:
        console.print(f"Interrupted; every epoch that was ended is kept. Go on: {resume}")
        return EXIT_SIGNAL + received
    if study.over and not study.done:
        more = "" if study.stopping else f" --epochs {2 * study.epochs}"  # hours are a session's, epochs the sweep's
        why = study.stopping or "The budget of epochs is spent"
        again = " (for as long again)" if study.stopping == HOURS_OVER else ""
        kept = "not all trials are done, and every epoch that was ended is kept"
        console.print(f"{why}; {kept}. Go on{again}: {resume}{more}")
        if study.stopping and study.stopping != HOURS_OVER:
            return EXIT_USER
    if not rows or (best := ranked(rows)[0]).score is None or best.state == "failed":
        console.print("No trial has a score; the reasons stand in the leaderboard.")
        return EXIT_FAILED
    console.print(f"Look: tensorboard --logdir {shlex.quote(str(plan.folder))}")
    console.print(f"Train the best again, on fresh seeds, scored on the test split: retrain-best {plan.name}")
    console.print(
        f"Repeat the best trial: python run.py {shlex.quote(str(plan.folder / best.name / 'overrides.yaml'))}"
    )
    return 0


def resume_command(plan: SweepPlan, spec_name: str) -> str:
    """The command that goes on with the sweep."""
    words = ["python", "-m", "sweeps.run", spec_name]
    words += plan.fixed.at("output_root")
    words += ["--name", plan.name] if plan.name != Path(spec_name).stem else []
    return shlex.join([*words, "--resume"])
