"""Run a sweep by name: ``python -m sweeps.run swin_unet_lr data.root=data/cfd``."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from src.errors import UserError, run_command, unknown
from sweeps.ledger import NAME, Ledger, is_finished, locked
from sweeps.spec import SweepSpec, list_specs, load_spec

ASKED = (
    "spec",
    "overrides",
    "trials",
    "max_epochs",
    "trials_at_once",
    "epochs",
    "hours",
    "stop_when_converged",
    "seed",
)
"""The words of a command line that a sweep is made of."""

DECIDED = {
    "training.epochs": "the horizon of the sweep's rungs: say --max-epochs instead",
    "threads": "a trial's share of the cores: say --trials-at-once instead",
    "experiment_name": "for single runs: say --name instead",
    "training.resume_from": "for single runs: every trial begins anew",
}
"""What a user cannot override in a sweep."""


APART = {
    "resume": ("fresh", "warm_start", "dry_run", "check"),
    "extend": ("trials", "fresh", "warm_start", "dry_run", "check"),
    "check": ("fresh", "warm_start", "dry_run", "accept_changes"),
    "dry_run": ("accept_changes",),
}
"""Options that cannot be said together: one of the two would be ignored."""


def main(argv: list[str]) -> int:
    options = parse(argv)
    refuse_contradictions(options)
    if options.list:
        width = max(len(name) for name in list_specs())
        for name, question in list_specs().items():
            print(f"{name:{width}}  {question}")
        return 0
    if not options.spec:
        raise UserError(f"Which sweep? Legal: {', '.join(list_specs())}; --list says what each one asks.")
    spec, name = load_spec(options.spec), options.name or options.spec
    folder = sweep_folder(spec, options.overrides, name)
    if options.check:
        from sweeps.stages import check

        return check(folder)
    if options.dry_run:
        from sweeps.stages import dry_run, prepare

        return dry_run(prepare(name, with_options(spec, options), options.seed or 0))
    if options.resume or options.extend is not None:
        with locked(folder):
            return go_on(spec, name, folder, options)
    return start_anew(spec, name, folder, options)


def start_anew(spec: SweepSpec, name: str, folder: Path, options: argparse.Namespace) -> int:
    """A new sweep. Nothing is written before all that can be checked without training is right."""
    refuse_to_mix(folder, options.fresh)
    other = other_sweep(folder, options.warm_start) if options.warm_start else None

    from sweeps.stages import Mode, prepare, search  # torch, Ray and Optuna: seconds to import

    plan = prepare(name, with_options(spec, options), options.seed or 0)
    with locked(folder):
        refuse_to_mix(folder, options.fresh)
        return search(plan, Mode(options.spec, asked(options), warm_start=other))


def go_on(spec: SweepSpec, name: str, folder: Path, options: argparse.Namespace) -> int:
    """One more session of a sweep."""
    complete_options(folder, options)

    from sweeps.stages import Mode, prepare, search

    plan = prepare(name, with_options(spec, options), options.seed or 0)
    return search(plan, Mode(options.spec, asked(options), resume=True, accept_changes=options.accept_changes))


def asked(options: argparse.Namespace) -> dict[str, Any]:
    """What a sweep's ledger keeps of a command line, for the sessions after."""
    return {key: getattr(options, key) for key in ASKED}


def other_sweep(folder: Path, said: str) -> Path:
    """The folder of the sweep that ``--warm-start`` means: a name beside this one's folder, or a path."""
    other = Path(said) if "/" in said else folder.with_name(said)
    if not (other / NAME).is_file():
        there = sorted(path.parent.name for path in folder.parent.glob(f"*/{NAME}"))
        raise unknown("sweep to start from", said, there)
    return other


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


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def refuse_to_mix(folder: Path, fresh: bool) -> None:
    """A sweep that is there already is a ``UserError`` with what one can say."""
    if fresh or not (folder / "sweep.yaml").exists():
        return
    if not (folder / NAME).is_file():
        raise UserError(f"{folder} holds a sweep without a ledger: say --name OTHER, or --fresh to move it aside.")
    ledger = Ledger(folder / NAME, read_only=True)
    more = "--extend 10 adds ten trials" if is_finished(ledger) else "--resume goes on with it"
    ledger.close()
    raise UserError(f"{folder} exists: {more}, --fresh moves it aside and starts anew, --name OTHER keeps both.")


def complete_options(folder: Path, options: argparse.Namespace) -> None:
    """Complete the options by those that the sweep was begun with."""
    if not (folder / "sweep.yaml").is_file():  # the last that is written before the first trial
        raise UserError(f"{folder} holds no sweep to go on with: leave out --resume and --extend.")
    ledger = Ledger(folder / NAME, read_only=True)
    before, trials = ledger.get("command"), ledger.get("trials")
    finished = is_finished(ledger)
    ledger.close()
    if before["spec"] != options.spec:
        raise UserError(f"{folder} is a sweep of {before['spec']}, not of {options.spec}.")
    if finished and options.extend is None and options.trials is None:
        raise UserError(f"{folder} is finished: --extend N goes on with N trials more.")
    if options.trials is None:
        options.trials = trials + (options.extend or 0)
    new = [word for word in options.overrides if word not in before["overrides"]]
    options.overrides = [*before["overrides"], *new]
    vars(options).update({key: before[key] for key in ASKED if getattr(options, key) is None})


def sweep_folder(spec: SweepSpec, overrides: list[str], name: str) -> Path:
    """Where a sweep of that name lies."""
    from src.config import load_config, rejoin_lists

    roots = [word for word in rejoin_lists(overrides) if word.startswith("output_root=")]
    return load_config([*spec.fixed, *roots]).output_root / "sweeps" / name


def parse(argv: list[str]) -> argparse.Namespace:
    """The command line; words that are not options are the sweep's name and then overrides for all its trials."""
    parser = argparse.ArgumentParser(prog="python -m sweeps.run", description=__doc__)
    add = parser.add_argument
    add("spec", nargs="?", help="name of a module in sweeps/specs")
    add("overrides", nargs="*", metavar="key=value", help="configuration overrides for all trials")
    add("--list", action="store_true", help="the sweeps there are, and what each one asks")
    add("--dry-run", action="store_true", help="check every corner of the space, measure an epoch, print the plan")
    add("--trials", type=int, help="sampled configurations")
    add("--max-epochs", type=int, help="epochs of a trial that is never stopped; the rungs are scaled with it")
    add("--trials-at-once", type=int, help="trials that share the machine")
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
    add("--debug", action="store_true", help="show the traceback of an error")
    return parser.parse_intermixed_args(argv)


def with_options(spec: SweepSpec, options: argparse.Namespace) -> SweepSpec:
    """The spec with what the command line says otherwise."""
    from src.config import rejoin_lists
    from sweeps.space import keys

    overrides = tuple(rejoin_lists(options.overrides))
    for override in overrides:
        key, equals, _ = override.partition("=")
        key = key.lstrip("+~").replace("/", ".")
        if not equals:
            raise UserError(f"'{override}' is not an override: write key=value.")
        if key in DECIDED:
            raise UserError(f"{key} is {DECIDED[key]}.")
        if key in keys(spec.space):
            raise UserError(f"{override}: {key} is what this sweep searches, so a value of yours would not last.")
    changes = {
        name: getattr(options, name) for name in ("trials", "trials_at_once", "epochs", "hours", "stop_when_converged")
    }
    budget = replace(spec.budget, **{name: value for name, value in changes.items() if value is not None})
    asha = spec.asha
    if options.max_epochs is not None:
        asha = asha.scaled(options.max_epochs)
    return replace(spec, fixed=(*spec.fixed, *overrides), budget=budget, asha=asha)


if __name__ == "__main__":
    sys.exit(run_command(main))
