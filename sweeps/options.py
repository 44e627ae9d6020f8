"""The command line of a sweep: its words, those that exclude each other, and the spec that they come to."""

import argparse
import math
import re
from collections.abc import Iterable
from dataclasses import replace

from src.config.overrides import Overrides
from src.errors import Parser, UserError
from sweeps.spec import SweepSpec

DECIDED = {
    "training.epochs": "the horizon of the sweep's rungs: say --max-epochs instead",
    "threads": "a trial's share of the cores: say --trials-at-once instead",
    "experiment_name": "for single runs: say --name instead",
    "training.resume_from": "for single runs: every trial begins anew",
}
"""What a user cannot override in a sweep."""

NAMES = re.compile(r"\w[\w.-]{0,99}")
"""Of folders."""

APART = {
    "resume": ("fresh", "warm_start", "dry_run", "check"),
    "extend": ("trials", "fresh", "warm_start", "check"),
    "check": ("fresh", "warm_start", "dry_run", "accept_changes"),
    "accept_data_warnings": ("resume", "extend", "check"),  # the data was accepted when the sweep was begun
}
"""Options that cannot be said together: one of the two would be ignored."""


def parse(argv: list[str]) -> argparse.Namespace:
    """The command line; words that are not options are the sweep's name and then overrides for all its trials."""
    parser = Parser(prog="python -m sweeps.run", description="Run a sweep by name.")
    add = parser.add_argument
    add("spec", nargs="?", help="name of a module in sweeps/specs, or a file such as mine.py")
    add("overrides", nargs="*", metavar="key=value", help="configuration overrides for all trials")
    add("--list", action="store_true", help="the sweeps there are, and what each one asks")
    add(
        "--dry-run",
        action="store_true",
        help="check every corner of the space, measure an epoch, print the plan; with --extend: what that would cost",
    )
    add("--trials", type=int, help="sampled configurations")
    add("--max-epochs", type=int, help="epochs of a trial that is never stopped; the rungs are scaled with it")
    add("--trials-at-once", type=int, help="trials that share the machine")
    add("--gpus", type=int, help="graphics cards to use, if not all that are here")
    add("--gpu-memory", type=float, metavar="GIB", help="with --dry-run: plan for cards of so much memory")
    add("--epochs", type=int, help="epochs of all trials together, after which running trials pause")
    add("--hours", type=float, help="wall clock of this session, after which running trials pause")
    add(
        "--stop-when-converged",
        action=argparse.BooleanOptionalAction,
        help="begin no more trials when none gets better",
    )
    add("--seed", type=int, help="seed of the search (default 0); the training's own is the override seed=")
    add("--name", help="the folder under outputs/sweeps, if not the sweep's name")
    add("--fresh", action="store_true", help="if the folder exists, move it aside and start anew")
    add("--resume", action="store_true", help="go on with a sweep that was interrupted")
    add("--extend", type=int, metavar="N", help="go on with a sweep, with N trials more than it was to have")
    add("--warm-start", metavar="SWEEP", help="let the search know the trials of another sweep")
    add("--check", action="store_true", help="compare the sweep's ledger, folders and leaderboard; change nothing")
    add("--accept-changes", action="store_true", help="go on though settings, code or data have changed since")
    add("--accept-data-warnings", action="store_true", help="search though the data has problems; python -m src.check")
    add("--debug", action="store_true", help="show the traceback of an error")
    options = parser.parse_intermixed_args(argv)
    options.overrides = list(Overrides.parse(options.overrides))
    return options


def refuse_contradictions(options: argparse.Namespace) -> None:
    """Options of which one would be ignored, or that are out of range, are a ``UserError``."""
    said = {name for name, value in vars(options).items() if value is not None and value is not False}
    for one, others in APART.items():
        for other in others:
            if {one, other} <= said:
                raise UserError(f"{_option(one)} and {_option(other)} cannot be said together.")
    if "accept_changes" in said and not {"resume", "extend"} & said:
        raise UserError("--accept-changes is for a sweep that goes on: say it with --resume or --extend.")
    for name, least in {"extend": 1, "max_epochs": 1, "seed": 0}.items():
        if name in said and getattr(options, name) < least:
            raise UserError(f"{_option(name)}={getattr(options, name)}: must be at least {least}.")
    refuse_gpu_memory(options)
    if options.name and not NAMES.fullmatch(options.name):
        raise UserError(f"--name={options.name}: a folder's name of letters, digits, and the signs _ . - within.")


def refuse_gpu_memory(options: argparse.Namespace) -> None:
    """A card's memory that is none, or a card to run on that is not here, is a ``UserError``."""
    if options.gpu_memory is None:
        return
    if not 0 < options.gpu_memory < math.inf:
        raise UserError(f"--gpu-memory={options.gpu_memory}: must be the GiB of a graphics card, such as 8.")
    if not options.dry_run:
        raise UserError("--gpu-memory plans for a card that is not here, and nothing can run on it: say --dry-run too.")


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def replaced(before: Iterable[str], said: Iterable[str]) -> list[str]:
    """The overrides of the sessions before, with those that are said now in place of others of their keys."""
    new = Overrides.parse(said)
    return list(Overrides.parse(before).without(*new.keys).plus(new))


def with_options(spec: SweepSpec, options: argparse.Namespace) -> SweepSpec:
    """The spec with what the command line says otherwise."""
    from sweeps.space import keys

    overrides, own = Overrides.parse(options.overrides), Overrides.parse(spec.fixed)
    for key in (*own.keys, *overrides.keys):
        if key in DECIDED:
            raise UserError(f"{key} is {DECIDED[key]}.")
    for item in overrides.items:
        if item.key in keys(spec.space):
            raise UserError(f"{item}: {item.key} is what this sweep searches, so a value of yours would not last.")
    fixed = own.without(*overrides.keys)
    bounds = ("trials", "trials_at_once", "gpus", "epochs", "hours", "stop_when_converged")
    changes = {name: getattr(options, name) for name in bounds}
    budget = replace(spec.budget, **{name: value for name, value in changes.items() if value is not None})
    asha = spec.asha
    if options.max_epochs is not None:
        asha = asha.scaled(options.max_epochs)
    return replace(spec, fixed=tuple(fixed.plus(overrides)), budget=budget, asha=asha)
