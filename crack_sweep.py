"""All commands under one name: ``crack-sweep COMMAND``, in the order of the way from photographs to an answer.

``crack-sweep measure predictions`` is ``python -m src.measure predictions``; each command has its own ``--help``.
"""

import os
import runpy
import sys
from typing import NoReturn

from src import errors
from src.errors import UserError, run_command, unknown

WAY = {
    "Your photographs": {
        "prepare": ("src.prepare", "make a data set of photographs and masks"),
        "check": ("src.check", "look for leaks and wrong masks in a data set"),
        "synthetic": ("src.synthetic", "draw cracks, for a first try without photographs"),
    },
    "A sweep": {
        "run": ("sweeps.run", "search for the best settings; --dry-run: what that would cost"),
        "leaderboard": ("analysis.leaderboard", "the trials of a sweep as a table"),
        "report": ("analysis.report", "a sweep as one page"),
        "compare": ("analysis.compare", "two sweeps side by side"),
        "retrain": ("analysis.retrain", "the answer: the best again on fresh seeds, scored on test (retrain-best)"),
    },
    "One network": {
        "cards": ("src.cards", "the graphics cards of this machine, and whether they can be used"),
        "train": ("run", "train with settings of your own"),
        "evaluate": ("src.evaluation", "score a network on a split"),
        "export": ("src.export", "a network for other software"),
    },
    "In use": {
        "predict": ("src.predict", "find the cracks in photographs of any size"),
        "measure": ("src.measure", "how long and how wide cracks are"),
        "label": ("src.label", "predictions as polygons, to correct them and train again"),
    },
}
"""The commands under their headings: module, and what it does."""
COMMANDS = {name: module for commands in WAY.values() for name, (module, _) in commands.items()}
COMPLETION = "completion"
SHELLS = ("bash", "zsh", "fish")


def command() -> NoReturn:
    """The console script."""
    if "_ARGCOMPLETE" in os.environ:
        complete()
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in COMMANDS:
        sys.exit(run_command(about))
    errors.PROGRAM = f"crack-sweep {name}"
    del sys.argv[0]
    runpy.run_module(COMMANDS[name], run_name="__main__", alter_sys=True)
    sys.exit()


def about(argv: list[str]) -> None:
    """Print the commands, or a shell's program for completion. Another word is a ``UserError``."""
    if argv[:1] == [COMPLETION]:
        print_completion(argv[1:])
    elif not argv or argv[0] in ("-h", "--help", "help"):
        print("crack-sweep COMMAND ...: from photographs to an answer\n")
        for heading, commands in WAY.items():
            print(heading)
            for name, (module, does) in commands.items():
                print(f"  {name:12} {does}  [{module}]")
            print()
        print("crack-sweep COMMAND --help says more; a command is also its module: python -m MODULE.")
        print(f'To complete words with TAB: eval "$(crack-sweep {COMPLETION} bash)" (or zsh; for fish: ... | source)')
    else:
        raise unknown("command", argv[0], [*COMMANDS, COMPLETION])


def print_completion(argv: list[str]) -> None:
    if len(argv) != 1 or argv[0] not in SHELLS:
        raise UserError(f"crack-sweep {COMPLETION}: name the shell: {', '.join(SHELLS)}.")
    import argcomplete

    print(argcomplete.shellcode(["crack-sweep", "retrain-best"], shell=argv[0]))  # type: ignore[no-untyped-call]


def complete() -> None:
    """Complete the name of a command; what follows it is completed by the parser of the command (``src.errors``)."""
    line = os.environ["COMP_LINE"][: int(os.environ["COMP_POINT"])]
    words = line.split()
    if len(words) > 2 or (len(words) == 2 and line.endswith(" ")):
        os.environ["_ARGCOMPLETE"] = "2"  # the word that is a command is no argument of it
        sys.argv[1:] = words[1:2]
        return
    parser = errors.Parser()
    parser.add_argument("command", choices=[*COMMANDS, COMPLETION])
    parser.parse_args([])
