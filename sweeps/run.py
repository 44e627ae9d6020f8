"""Run a sweep by name: ``python -m sweeps.run swin_unet_lr data.root=data/cfd``."""

import argparse
import sys
from pathlib import Path
from typing import Any

from src.errors import UserError, outlive_reader, run_command, unknown
from src.folders import in_full, user_path
from sweeps.ledger import NAME, Ledger, is_finished, locked, refuse_second_writer
from sweeps.options import NAMES, parse, refuse_contradictions, replaced, with_options
from sweeps.spec import SweepSpec, is_path, list_specs, load_spec, spec_path

ASKED = (
    "spec",
    "overrides",
    "trials",
    "max_epochs",
    "trials_at_once",
    "gpus",
    "epochs",
    "hours",
    "stop_when_converged",
    "seed",
)
"""The words of a command line that a sweep is made of."""


def main(argv: list[str]) -> int:
    options = parse(argv)
    refuse_contradictions(options)
    if options.list:
        width = max(len(name) for name in list_specs())
        for name, question in list_specs().items():
            print(f"{name:{width}}  {question}")
        return 0
    spec, name = chosen(options)
    folder = sweep_folder(spec, options.overrides, name)
    if options.check:
        from sweeps.stages import check

        return check(folder)
    if options.dry_run:
        return plan_only(spec, name, folder, options)
    if options.resume or options.extend is not None:
        refuse_nothing(folder)
        with locked(folder):
            return go_on(spec, name, folder, options)
    return start_anew(spec, name, folder, options)


def chosen(options: argparse.Namespace) -> tuple[SweepSpec, str]:
    """The spec that the command line names, and the sweep's name. A file becomes its whole path in the options."""
    if not options.spec:
        raise UserError(f"Which sweep? Legal: {', '.join(list_specs())}; --list says what each one asks.")
    if is_path(options.spec):
        options.spec = str(spec_path(options.spec))
    elif options.spec not in list_specs():
        refuse_unknown(options)
    name = options.name or user_path(options.spec).stem
    if not NAMES.fullmatch(name):
        raise UserError(f"'{name}' cannot be a folder's name: say --name with letters, digits, '_', '-' and '.'.")
    return load_spec(options.spec), name


def plan_only(spec: SweepSpec, name: str, folder: Path, options: argparse.Namespace) -> int:
    """Say what a sweep, or one that is extended, would take. In its folder nothing is written."""
    goes_on = options.extend is not None
    if goes_on:
        refuse_nothing(folder)
        complete_options(folder, options)
    asked_for = checked(with_options(spec, options))

    from sweeps.dry_run import dry_run, standing_of
    from sweeps.stages import prepare

    accept_data = options.accept_data_warnings or goes_on
    plan = prepare(name, asked_for, options.seed or 0, accept_data, options.gpu_memory)
    standing = standing_of(plan, options.spec, options.accept_changes) if goes_on else None
    return dry_run(plan, measure=options.gpu_memory is None, standing=standing)


def start_anew(spec: SweepSpec, name: str, folder: Path, options: argparse.Namespace) -> int:
    """A new sweep. Nothing is written before all that can be checked without training is right."""
    outlive_reader()
    refuse_second_writer(folder)
    refuse_to_mix(folder, options.fresh)
    other = other_sweep(folder, options.warm_start) if options.warm_start else None
    spec = checked(with_options(spec, options))

    from sweeps.stages import Mode, prepare, search  # torch, Ray and Optuna: seconds to import

    plan = prepare(name, spec, options.seed or 0, options.accept_data_warnings)
    with locked(folder):
        refuse_to_mix(folder, options.fresh)
        return search(plan, Mode(options.spec, asked(options), warm_start=other))


def go_on(spec: SweepSpec, name: str, folder: Path, options: argparse.Namespace) -> int:
    """One more session of a sweep."""
    outlive_reader()
    complete_options(folder, options)
    spec = checked(with_options(spec, options))

    from sweeps.stages import Mode, prepare, search

    plan = prepare(name, spec, options.seed or 0, accept_data=True)  # as when it was begun
    return search(plan, Mode(options.spec, asked(options), resume=True, accept_changes=options.accept_changes))


def checked(spec: SweepSpec) -> SweepSpec:
    """The spec, after all that can be checked before the seconds that torch and Ray take: values, space, files."""
    from src.config.compose import load_config
    from src.config.schema import SPLITS
    from src.data.pairs import find_pairs
    from sweeps.space import default_point

    default_point(spec.space, spec.fixed)
    root = load_config(spec.fixed).data.root
    if (root / "train").is_dir() or not spec.synthetic_without_data:
        for split in SPLITS:
            find_pairs(root, split)
    return spec


def asked(options: argparse.Namespace) -> dict[str, Any]:
    """What a sweep's ledger keeps of a command line, for the sessions after."""
    return {key: getattr(options, key) for key in ASKED}


def other_sweep(folder: Path, said: str) -> Path:
    """The folder of the sweep that ``--warm-start`` means: a name beside this one's folder, or a path."""
    other = user_path(said) if "/" in said else folder.with_name(said)
    if not (other / NAME).is_file():
        there = sorted(path.parent.name for path in folder.parent.glob(f"*/{NAME}"))
        raise (
            unknown("sweep to start from", said, there)
            if there
            else UserError(f"--warm-start={said}: there is no sweep in {in_full(folder.parent)} to start from.")
        )
    return other


def refuse_unknown(options: argparse.Namespace) -> None:
    """The name of a sweep's folder in place of its spec's is a ``UserError`` that says how to call it."""
    folder = sweep_folder(None, options.overrides, options.spec)
    if NAMES.fullmatch(options.spec) and (folder / NAME).is_file():
        ledger = Ledger(folder / NAME, read_only=True)
        command = ledger.get("command")
        ledger.close()
        raise UserError(
            f"'{options.spec}' is a sweep of {command['spec']}: say {command['spec']} --name {options.spec}."
        )


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


def refuse_nothing(folder: Path) -> None:
    """A folder without a sweep to go on with is a ``UserError``."""
    if not (folder / "sweep.yaml").is_file():  # the last that is written before the first trial
        raise UserError(f"{in_full(folder)} holds no sweep to go on with: leave out --resume and --extend.")


def complete_options(folder: Path, options: argparse.Namespace) -> None:
    """Complete the options by those that the sweep was begun with."""
    ledger = Ledger(folder / NAME, read_only=True)
    before, trials = ledger.get("command"), ledger.get("trials")
    finished, begun = is_finished(ledger), len(ledger.trials())
    ledger.close()
    if before["spec"] != options.spec:
        raise UserError(f"{folder} is a sweep of {before['spec']}, not of {options.spec}.")
    if finished and options.extend is None and options.trials is None:
        raise UserError(f"{folder} is finished: --extend N goes on with N trials more.")
    if options.trials is None:
        options.trials = trials + (options.extend or 0)
    elif options.trials <= begun if finished else options.trials < begun:
        raise UserError(f"--trials={options.trials}: {folder} has begun {begun}; say how many it is to have in all.")
    options.overrides = replaced(before["overrides"], options.overrides)
    vars(options).update({key: before.get(key) for key in ASKED if getattr(options, key) is None})


def sweep_folder(spec: SweepSpec | None, overrides: list[str], name: str) -> Path:
    """Where a sweep of that name lies."""
    from src.config.compose import load_config
    from src.config.overrides import Overrides

    fixed = Overrides.parse(spec.fixed if spec else ())
    return load_config(fixed.plus(Overrides.parse(overrides).at("output_root"))).output_root / "sweeps" / name


if __name__ == "__main__":
    sys.exit(run_command(main))
