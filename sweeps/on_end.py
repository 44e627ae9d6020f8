"""Runs a command of the user when a session ends (``--on-end``): to send a message, or to switch the machine off."""

import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from src.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USER, UserError
from sweeps.plan import SweepPlan
from sweeps.search.study import Study
from sweeps.search.trial import ranked


@dataclass
class Ending:
    """How a session ends."""

    code: int = EXIT_FAILED
    """Of the process."""
    best: tuple[str, float] | None = None
    """What is to be used, and its score; None: the best trial."""


@contextmanager
def command_at_end(command: str | None, plan: SweepPlan, study: Study) -> Generator[Ending]:
    """Run the command after the block, which says how the session ended, unless it raises an error."""
    ending = Ending()
    try:
        yield ending
    except UserError:
        ending.code = EXIT_USER
        raise
    except KeyboardInterrupt:
        ending.code = EXIT_INTERRUPTED
        raise
    finally:
        run_at_end(command, plan, study, ending)


def run_at_end(command: str | None, plan: SweepPlan, study: Study, ending: Ending) -> None:
    """Run the command in a shell, with the outcome in its environment. If it fails, that is printed and no more."""
    if command is None:
        return
    try:
        done = subprocess.run(command, shell=True, env=os.environ | outcome(plan, study, ending), check=False)
    except OSError as error:
        print(f"--on-end: the command could not be run: {error.strerror}.", flush=True)
        return
    if done.returncode:
        print(f"--on-end: the command has ended with exit code {done.returncode}.", flush=True)


def outcome(plan: SweepPlan, study: Study, ending: Ending) -> dict[str, str]:
    """The environment variables that tell how the session ended."""
    scored = ((one.name, one.score) for one in ranked(study.trials.values()) if one.score is not None)
    best = ending.best or next(scored, None)
    return {
        "SWEEP_NAME": plan.name,
        "SWEEP_FOLDER": str(plan.folder),
        "SWEEP_STATE": "finished" if study.complete else "interrupted",
        "SWEEP_EXIT_CODE": str(ending.code),
        "SWEEP_TRIALS": str(study.state.tried),
        "SWEEP_BEST_TRIAL": best[0] if best else "",
        "SWEEP_BEST_SCORE": f"{best[1]:.4f}" if best else "",
    }
