"""Run a sweep by name: ``python -m sweeps.run swin_unet_lr data.root=data/cfd``."""

import argparse
import sys
from dataclasses import replace

from src.errors import UserError, run_command
from sweeps.spec import SweepSpec, list_specs, load_spec

DECIDED = {
    "training.epochs": "the horizon of the sweep's rungs: say --max-epochs instead",
    "threads": "a trial's share of the cores: say --trials-at-once instead",
    "experiment_name": "for single runs: say --name instead",
    "training.resume_from": "for single runs: every trial begins anew",
}
"""What a user cannot override in a sweep."""


def main(argv: list[str]) -> int:
    options = parse(argv)
    if options.list:
        width = max(len(name) for name in list_specs())
        for name, question in list_specs().items():
            print(f"{name:{width}}  {question}")
        return 0
    if not options.spec:
        raise UserError(f"Which sweep? Legal: {', '.join(list_specs())}; --list says what each one asks.")
    spec = with_options(load_spec(options.spec), options)

    from sweeps.stages import dry_run, prepare, search  # torch, Ray and Optuna: seconds to import

    plan = prepare(options.name or options.spec, spec, options.seed)
    return dry_run(plan) if options.dry_run else search(plan, options.fresh)


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
    add("--hours", type=float, help="wall clock after which running trials are stopped")
    add("--seed", type=int, default=0, help="seed of the search; the training's own is the override seed=")
    add("--name", help="the folder under outputs/sweeps, if not the sweep's name")
    add("--fresh", action="store_true", help="if the folder exists, move it aside and start anew")
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
    changes = {name: getattr(options, name) for name in ("trials", "trials_at_once", "hours")}
    budget = replace(spec.budget, **{name: value for name, value in changes.items() if value is not None})
    asha = spec.asha
    if options.max_epochs is not None:
        if options.max_epochs < 1:
            raise UserError(f"--max-epochs={options.max_epochs}: must be at least 1.")
        asha = asha.scaled(options.max_epochs)
    return replace(spec, fixed=(*spec.fixed, *overrides), budget=budget, asha=asha)


if __name__ == "__main__":
    sys.exit(run_command(main))
