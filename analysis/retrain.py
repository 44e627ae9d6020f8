"""Train the best configurations again on fresh seeds, beside the default, and say which one to use: ``retrain-best``.

The winner of many trials on one seed looks better than it is. So the best few of a sweep and its default configuration
are trained to the end with seeds that the search has not seen, and scored once on the test split, at the threshold that
validation chose.
"""

import argparse
import shlex
import sys

from src.errors import EXIT_SIGNAL, EXIT_USER, Parser, UserError, outlive_reader, run_command, unknown
from src.folders import user_path
from src.rankable import RANKABLE

TOP = 3
SEEDS = 5


def main(argv: list[str]) -> int:
    options = parse(argv)
    for name in ("top", "seeds", "epochs", "trials_at_once", "gpus"):
        if (value := getattr(options, name)) is not None and value < 1:
            raise UserError(f"--{name.replace('_', '-')}={value}: must be at least 1.")
    for name in ("fresh", "top", "epochs", "metric"):
        if options.resume and getattr(options, name):
            raise UserError(f"--resume goes on with what was begun, so --{name} cannot be said with it.")
    from sweeps.ray_requirements import refuse_places

    refuse_places()
    outlive_reader()
    return retrain(options)


def parse(argv: list[str]) -> argparse.Namespace:
    parser = Parser(prog="retrain-best", description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("name", help="the sweep's folder under outputs/sweeps")
    add("--top", type=int, help=f"of its best configurations, beside the default (default {TOP})")
    add("--seeds", type=int, help=f"fresh seeds each, counted from 0 (default {SEEDS})")
    add("--epochs", type=int, help="of each training, if not the sweep's own")
    add("--metric", help="to choose the best by and to compare, if not the sweep's own")
    add("--trials-at-once", type=int, help="trainings that share the machine")
    add("--gpus", type=int, help="graphics cards to use, if not all that are here")
    add("--output-root", type=user_path, help="the output_root of the sweep, if it was not the configured one")
    add("--data-root", type=user_path, help="where the data of the sweep is now, if its folder was moved")
    add("--resume", action="store_true", help="go on with what was begun, though the sweep has others at the top now")
    add("--fresh", action="store_true", help="move what was begun aside and start anew")
    add("--debug", action="store_true", help="show the traceback of an error")
    return parser.parse_args(argv)


def retrain(options: argparse.Namespace) -> int:
    """Train, score, compare, write ``{output_root}/retrain/{name}/``; returns the exit code."""
    from analysis.results import load_sweep

    sweep = load_sweep(options.name, options.output_root)
    metric = options.metric or sweep.metric
    if metric not in RANKABLE:
        raise unknown("metric to compare by", metric, RANKABLE)

    from analysis.answer import conclude  # torch, Ray and Optuna: seconds to import
    from analysis.finals import Asked, fixed_of, folder_of, open_finals
    from src.cards import find_cards
    from src.config.compose import load_config
    from sweeps.execution import run_trials
    from sweeps.ledger import locked
    from sweeps.stages import console
    from trainable.resources import choose_cards, share_machine

    if sweep.state != "finished":
        console.print(f"{sweep.name} is {sweep.state}: its best may not be the best yet.")
    asked = Asked(
        options.top or TOP,
        options.seeds or (0 if options.resume else SEEDS),
        options.epochs,
        metric,
    )
    there = find_cards(load_config(fixed_of(sweep, options.data_root)).device)
    cards = choose_cards(there, options.gpus, options.trials_at_once)
    resources = share_machine(options.trials_at_once, cards)
    with locked(folder_of(sweep)):
        finals = open_finals(sweep, asked, resources, options.resume, options.fresh, options.data_root)
        received = run_trials(finals.plan, finals.study, console)
        if not finals.study.done:
            finals.study.interrupt()
            why = finals.study.stopping or "Interrupted"
            console.print(f"{why}; every epoch that was ended is kept. Go on: {resume_command(options)}")
            return EXIT_USER if received is None else EXIT_SIGNAL + received
        finals.study.finish()
        conclude(finals, console)
    return 0


def resume_command(options: argparse.Namespace) -> str:
    """The command that goes on, on the same share of the machine."""
    words = ["retrain-best", options.name]
    for name in ("trials_at_once", "gpus", "output_root", "data_root"):
        if (value := getattr(options, name)) is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join([*words, "--resume"])


def command() -> None:
    """The console script ``retrain-best``."""
    sys.exit(run_command(main))


if __name__ == "__main__":
    command()
