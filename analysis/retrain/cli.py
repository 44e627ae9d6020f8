"""Train a sweep's best configurations and its default again on fresh seeds, and decide which to use: ``retrain-best``.

The best of many trials on one seed looks better than it is. So the best few configurations of a sweep and its default
are trained, unless early stopping ends them, with seeds that the search has not used. Each training is scored once on
the test split.
"""

import shlex
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from src.errors import (
    EXIT_SIGNAL,
    EXIT_USER,
    Parser,
    UserError,
    leave,
    outlive_reader,
    run_command,
    unknown,
)
from src.folders import user_path
from src.imports import quick_imports
from src.rankable import RANKABLE
from trainable.limits import COSTS, read_limits

if TYPE_CHECKING:
    from analysis.results import SweepResults
    from analysis.retrain.contenders import RaceSettings
    from analysis.retrain.retraining import Retraining
    from sweeps.cluster.cluster import Cluster
    from sweeps.local_ray import LocalRay

TOP = 3
SEEDS = 5
FEWEST_FOLDS = 3


@dataclass(frozen=True, kw_only=True)
class RetrainRequest:
    """A parsed command line. None means that an option was not given."""

    name: str
    top: int | None = None
    seeds: int | None = None
    epochs: int | None = None
    metric: str | None = None
    trials_at_once: int | None = None
    gpus: int | None = None
    output_root: Path | None = None
    data_root: Path | None = None
    address: str | None = None
    on_end: str | None = None
    folds: int | None = None
    within: tuple[str, ...] = ()
    ensemble: bool = False
    resume: bool = False
    fresh: bool = False
    dry_run: bool = False

    def __post_init__(self) -> None:
        """Raise a ``UserError`` for options that exclude each other or are out of range."""
        for name in ("top", "seeds", "epochs", "trials_at_once", "gpus"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise UserError(f"--{name.replace('_', '-')}={value}: must be at least 1.")
        if self.folds is not None and self.folds < FEWEST_FOLDS:
            raise UserError(f"--folds={self.folds}: must be at least {FEWEST_FOLDS}, to test, validate and train on.")
        read_limits(self.within)
        refuse_combinations(self)


def refuse_combinations(request: RetrainRequest) -> None:
    """Raise a ``UserError`` for options that exclude each other: one of them would be ignored, or mean nothing."""
    if request.ensemble and request.seeds == 1:
        raise UserError("--ensemble cannot be combined with --seeds=1: a mean needs two networks.")
    if request.folds and request.ensemble:
        raise UserError("--ensemble cannot be combined with --folds: its networks have seen each other's test images.")
    for name in ("resume", "fresh", "ensemble", "on_end"):
        if request.dry_run and getattr(request, name):
            raise UserError(f"--{name.replace('_', '-')} cannot be combined with --dry-run, which trains nothing.")
    if request.resume and request.fresh:
        raise UserError("--fresh cannot be combined with --resume: it begins anew.")
    for name in ("folds", "within", "top", "epochs", "metric"):
        if request.resume and getattr(request, name):
            raise UserError(
                f"--{name} cannot be combined with --resume, which continues with the same configurations; --seeds "
                f"can. For another --{name}: --fresh, which begins anew."
            )


def main(argv: list[str]) -> int:
    request = parse(argv)
    from sweeps.ray_requirements import require_ray_environment

    require_ray_environment()
    outlive_reader()
    return retrain(request)


def parse(argv: list[str]) -> RetrainRequest:
    parser = Parser(prog="retrain-best", description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("name", help="the sweep's folder under outputs/sweeps")
    add("--top", type=int, help=f"number of best configurations besides the default (default {TOP})")
    add(
        "--seeds",
        type=int,
        help=f"number of fresh seeds for each configuration, from 0 (default {SEEDS}, with --folds 1)",
    )
    add("--epochs", type=int, help="epochs of each training (default: as in the sweep)")
    add("--metric", help="metric for choosing and comparing configurations (default: the sweep's metric)")
    add("--trials-at-once", type=int, help="number of trainings that share the machine")
    add("--gpus", type=int, help="number of graphics cards to use (default: all)")
    add("--output-root", type=user_path, help="the output_root of the sweep (default: the configured one)")
    add("--data-root", type=user_path, help="the new data folder of the sweep, if it was moved")
    add("--address", help="run on a Ray cluster: auto, or HOST:PORT of its head (default: this machine alone)")
    add(
        "--within",
        action="append",
        default=[],
        metavar="COST=MOST",
        help=f"only configurations with such costs, and choose among them; a cost is one of {', '.join(COSTS)}",
    )
    add("--folds", type=int, help="test on all photographs, in K parts by place; one training for each part and seed")
    add("--on-end", metavar="COMMAND", help="run this command at the end, with SWEEP_... variables")
    add("--ensemble", action="store_true", help="compare the mean of the chosen networks with the best of them")
    add("--resume", action="store_true", help="continue an interrupted retraining with the same configurations")
    add("--fresh", action="store_true", help="move an existing retraining aside and start over")
    add("--dry-run", action="store_true", help="say what would be trained and how long it may take, and end")
    add("--debug", action="store_true", help="show the traceback of an error")
    words = vars(parser.parse_args(argv))
    words["within"] = tuple(words["within"])
    del words["debug"]  # ``src.errors.run_command`` reads it
    return RetrainRequest(**words)


def retrain(request: RetrainRequest) -> int:
    """Train, score and compare; write ``{output_root}/retrain/{name}/``; returns the exit code."""
    from analysis.results import load_sweep
    from analysis.retrain.contenders import RaceSettings, folder_of
    from sweeps.writer import locked

    sweep = load_sweep(request.name, request.output_root)
    metric = request.metric or sweep.metric
    if metric not in RANKABLE:
        raise unknown("metric to compare by", metric, RANKABLE)
    if sweep.state != "finished":
        print(f"{sweep.name} is {sweep.state}: its best trials may still change.")
    seeds = request.seeds or (0 if request.resume else 1 if request.folds else SEEDS)
    settings = RaceSettings(request.top or TOP, seeds, request.epochs, metric, request.folds or 0, request.within)
    if request.dry_run:
        return dry_run(sweep, settings, request)
    with ray_for(sweep, request) as ray, locked(folder_of(sweep)):
        with quick_imports():  # torch and Optuna: seconds, in which Ray starts
            from analysis.retrain.estimate import estimate_of_rest
            from analysis.retrain.retraining import open_retraining

            for name in ("analysis.retrain.verdict_page", "sweeps.run_trials"):  # needed later
                import_module(name)
        retraining = open_retraining(sweep, settings, ray.resources, request.resume, request.fresh, request.data_root)
        for line in estimate_of_rest(sweep, retraining):
            print(line)
        if retraining.race.folds and request.ensemble:
            raise UserError("--ensemble: this retraining has folds, whose networks have seen each other's test images.")
        return run_race(retraining, ray, request)


def dry_run(sweep: "SweepResults", settings: "RaceSettings", request: RetrainRequest) -> int:
    """Print what would be trained, and write nothing; returns the exit code."""
    from analysis.retrain.contenders import contenders_of
    from analysis.retrain.estimate import estimate_beside
    from analysis.retrain.retraining import plan_of

    contenders, machines = contenders_of(sweep, settings), ray_for(sweep, request)
    with machines if request.address else nullcontext(machines) as ray:  # this machine needs no Ray for it
        plan = plan_of(sweep, settings, contenders, ray.resources, request.data_root)
    for line in estimate_beside(sweep, settings, plan, contenders):
        print(line)
    return 0


def run_race(retraining: "Retraining", ray: "LocalRay | Cluster", request: RetrainRequest) -> int:
    """Train what is missing and write the verdict; returns the exit code."""
    from analysis.retrain.verdict_page import write_verdict
    from sweeps.on_end import command_at_end
    from sweeps.preflight import console
    from sweeps.run_trials import executor_for

    study = retraining.session.study
    with command_at_end(request.on_end, retraining.plan, study) as ending:
        with executor_for(retraining.plan, ray) as executor:
            received = retraining.session.run(console, executor)
        if study.complete:
            ending.best = write_verdict(retraining, console, request.ensemble)
            ending.code = 0
        else:
            why = study.why_ended or "Interrupted"
            console.print(f"{why}; every completed epoch is kept. Continue: {resume_command(request)}")
            ending.code = EXIT_USER if received is None else EXIT_SIGNAL + received
    return ending.code


def ray_for(sweep: "SweepResults", request: RetrainRequest) -> "LocalRay | Cluster":
    """The Ray for the trainings. Its places may differ from the search's."""
    from analysis.retrain.contenders import fixed_of, folder_of
    from src.cards import find_cards
    from src.config.compose import load_config
    from sweeps.local_ray import LocalRay
    from sweeps.machines import division_before
    from sweeps.search.budget import Budget
    from trainable.resources import choose_cards, share_machine

    device, number, gpus = load_config(fixed_of(sweep, request.data_root)).device, request.trials_at_once, request.gpus
    if request.address is None:
        return LocalRay(share_machine(number, choose_cards(find_cards(device), gpus, number)))
    from sweeps.cluster.cluster import Cluster  # imports Ray

    budget = Budget(trials=1, trials_at_once=number, gpus=gpus)
    return Cluster(request.address, device, budget, None if request.fresh else division_before(folder_of(sweep)))


def resume_command(request: RetrainRequest) -> str:
    """The command that continues the retraining with the same resources."""
    words = ["retrain-best", request.name]
    for name in ("trials_at_once", "gpus", "output_root", "data_root", "address", "on_end"):
        if (value := getattr(request, name)) is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join([*words, *(["--ensemble"] if request.ensemble else []), "--resume"])


def command() -> None:
    """The console script ``retrain-best``."""
    leave(run_command(main))
