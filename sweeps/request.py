"""Parses the command line of ``sweeps.run`` into a ``SweepRequest``, and applies it to a spec."""

import argparse
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from src.config.overrides import Overrides
from src.errors import Parser, UserError
from sweeps.search.space import keys
from sweeps.spec import SweepSpec, list_specs

NOT_OVERRIDABLE = {
    "training.epochs": "set by --max-epochs: the length of a trial that is never stopped",
    "threads": "set by --trials-at-once: a trial's share of the cores",
    "experiment_name": "for single runs; use --name",
    "training.resume_from": "for single runs: every trial starts from scratch",
}
"""Keys that a sweep sets itself, and what to use instead."""

SPEC = "name of a module in sweeps/specs, or a file such as mine.py"
FOLDER_NAME = re.compile(r"\w[\w.-]{0,99}")

MUTUALLY_EXCLUSIVE = {
    "resume": ("fresh", "warm_start", "dry_run", "check"),
    "extend": ("trials", "fresh", "warm_start", "check"),
    "check": ("fresh", "warm_start", "dry_run", "accept_changes"),
    "address": ("check", "gpu_memory"),
    "on_end": ("check", "dry_run"),
    "accept_data_warnings": ("resume", "extend", "check"),  # the data was accepted when the sweep was started
}
"""Options that cannot be combined, because one of the two would be ignored."""

BUDGET = ("trials", "trials_at_once", "gpus", "epochs", "hours", "stop_when_converged")
"""Options that replace a value of the spec's budget."""

SAVED = ("spec", "overrides", "max_epochs", *BUDGET, "seed")
"""Options that describe a sweep. They are kept in its ledger, so they need not be repeated to continue it."""


@dataclass(frozen=True, kw_only=True)
class SweepRequest:
    """A parsed command line. None means that an option was not given."""

    spec: str
    overrides: tuple[str, ...] = ()
    trials: int | None = None
    max_epochs: int | None = None
    trials_at_once: int | str | None = None
    gpus: int | None = None
    epochs: int | None = None
    hours: float | None = None
    stop_when_converged: bool | None = None
    seed: int | None = None
    name: str | None = None
    list: bool = False
    dry_run: bool = False
    gpu_memory: float | None = None
    fresh: bool = False
    resume: bool = False
    extend: int | None = None
    warm_start: str | None = None
    check: bool = False
    accept_changes: bool = False
    accept_data_warnings: bool = False
    address: str | None = None
    on_end: str | None = None

    def checked(self) -> Self:
        """The same request. Options that exclude each other or are out of range are a ``UserError``."""
        given = {name for name, value in asdict(self).items() if value is not None and value is not False}
        for one, others in MUTUALLY_EXCLUSIVE.items():
            for other in others:
                if {one, other} <= given:
                    raise UserError(f"{option(one)} and {option(other)} cannot be combined.")
        if "accept_changes" in given and not self.continues:
            raise UserError("--accept-changes only works when a sweep is continued: use it with --resume or --extend.")
        for name, least in {"extend": 1, "max_epochs": 1, "seed": 0}.items():
            if name in given and getattr(self, name) < least:
                raise UserError(f"{option(name)}={getattr(self, name)}: must be at least {least}.")
        self._refuse_gpu_memory()
        if self.name and not FOLDER_NAME.fullmatch(self.name):
            raise UserError(
                f"--name={self.name}: a folder's name must start with a letter, a digit or _, and contain only "
                "letters, digits, '_', '.' and '-'."
            )
        return self

    @property
    def continues(self) -> bool:
        """Whether an existing sweep is to be continued."""
        return self.resume or self.extend is not None

    def _refuse_gpu_memory(self) -> None:
        if self.gpu_memory is None:
            return
        if not 0 < self.gpu_memory < math.inf:
            raise UserError(f"--gpu-memory={self.gpu_memory}: must be the memory of a graphics card in GiB, such as 8.")
        if not self.dry_run:
            raise UserError(
                "--gpu-memory works only with --dry-run: it plans for a card that this machine does not have."
            )

    def saved(self) -> dict[str, Any]:
        """The options that describe the sweep, as its ledger keeps them."""
        return {name: getattr(self, name) for name in SAVED}

    def completed(self, saved: Mapping[str, Any], trials: int) -> Self:
        """The request with missing options taken from the previous session. Overrides are replaced by key."""
        own = {name: value for name in SAVED if (value := getattr(self, name)) is not None}
        overrides = replaced(saved["overrides"], self.overrides)
        return replace(
            self, **{name: saved.get(name) for name in SAVED} | own | {"trials": trials, "overrides": overrides}
        )

    def applied_to(self, spec: SweepSpec) -> SweepSpec:
        """The spec with the changes that the command line makes."""
        overrides, own = Overrides.parse(self.overrides), Overrides.parse(spec.fixed)
        for key in (*own.keys, *overrides.keys):
            if key in NOT_OVERRIDABLE:
                raise UserError(f"{key} is {NOT_OVERRIDABLE[key]}.")
        for item in overrides.items:
            if item.key in keys(spec.space):
                raise UserError(f"{item}: {item.key} is searched by this sweep and cannot be overridden.")
        fixed = own.without(*overrides.keys).plus(overrides)
        bounds = {name: value for name in BUDGET if (value := getattr(self, name)) is not None}
        scheduler = spec.scheduler if self.max_epochs is None else spec.scheduler.scaled(self.max_epochs)
        return replace(spec, fixed=tuple(fixed), budget=replace(spec.budget, **bounds), scheduler=scheduler)


def parse(argv: list[str]) -> SweepRequest:
    """Parse the command line. Of the words that are not options, the first is the spec, the others are overrides."""
    parser = Parser(prog="python -m sweeps.run", description="Run a sweep by name.")
    add = parser.add_argument
    add("spec", nargs="?", default="", help=SPEC).completer = names_of_specs  # type: ignore[attr-defined]
    add("overrides", nargs="*", metavar="key=value", help="configuration overrides for all trials")
    add("--list", action="store_true", help="list the available sweeps and the question of each")
    add(
        "--dry-run",
        action="store_true",
        help="check every corner of the space, measure an epoch and print the plan; with --extend: the cost of that",
    )
    add("--trials", type=int, help="number of trials (sampled configurations) in all")
    add("--max-epochs", type=int, help="epochs of a trial that is never stopped; the rungs are scaled with it")
    add("--trials-at-once", type=number_or_auto, metavar="N", help="trials that share the machine, or auto: measured")
    add("--gpus", type=int, help="number of graphics cards to use (default: all)")
    add("--gpu-memory", type=float, metavar="GIB", help="with --dry-run: plan for cards with this much memory")
    add("--epochs", type=int, help="total epochs of all trials, after which running trials wait")
    add("--hours", type=float, help="wall-clock time of this session, after which running trials wait")
    add(
        "--stop-when-converged",
        action=argparse.BooleanOptionalAction,
        help="start no more trials when the score no longer improves",
    )
    add("--seed", type=int, help="seed of the search (default 0); the seed of the trainings is the override seed=")
    add("--name", help="the folder under outputs/sweeps (default: the spec's name)")
    add("--fresh", action="store_true", help="if the folder exists, move it aside and start over")
    add("--resume", action="store_true", help="continue a sweep that was interrupted")
    add("--extend", type=int, metavar="N", help="continue a sweep with N more trials than planned")
    add("--warm-start", metavar="SWEEP", help="let the search use the trials of another sweep")
    add("--check", action="store_true", help="check that the sweep's ledger, folders and leaderboard agree")
    add("--accept-changes", action="store_true", help="continue although settings, code or data have changed")
    add("--accept-data-warnings", action="store_true", help="search although the data has problems (src.check)")
    add("--address", help="run on a Ray cluster: auto, or HOST:PORT of its head (default: this machine alone)")
    add("--on-end", metavar="COMMAND", help="run this command when the session ends, with SWEEP_... variables")
    add("--debug", action="store_true", help="show the traceback of an error")
    words: dict[str, Any] = vars(parser.parse_intermixed_args(argv))
    del words["debug"]  # ``src.errors.run_command`` reads it
    words["overrides"] = tuple(Overrides.parse(words["overrides"]))
    return SweepRequest(**words).checked()


def names_of_specs(**_: object) -> list[str]:
    """What TAB offers, for argcomplete."""
    return list(list_specs())


def number_or_auto(word: str) -> int | str:
    """An option's value that is a whole number or ``auto``."""
    return word if word == "auto" else int(word)


def option(name: str) -> str:
    return "--" + name.replace("_", "-")


def replaced(before: Iterable[str], now: Iterable[str]) -> tuple[str, ...]:
    """The overrides of the previous session, in which the present ones replace those with the same key."""
    new = Overrides.parse(now)
    return tuple(Overrides.parse(before).without(*new.keys).plus(new))
