"""Runs a command of the user when a session ends (``--on-end``): to send a message, or to switch the machine off."""

import os
import subprocess

from sweeps.plan import SweepPlan
from sweeps.search.study import Study
from sweeps.search.trial import ranked


def run_at_end(
    command: str | None, plan: SweepPlan, study: Study, exit_code: int, best: tuple[str, float] | None = None
) -> None:
    """Run the command in a shell, with the outcome in its environment. If it fails, that is printed and no more.

    ``best``: what is to be used, and its score; by default the best trial.
    """
    if command is None:
        return
    try:
        done = subprocess.run(command, shell=True, env=os.environ | outcome(plan, study, exit_code, best), check=False)
    except OSError as error:
        print(f"--on-end: the command could not be run: {error.strerror}.", flush=True)
        return
    if done.returncode:
        print(f"--on-end: the command has ended with exit code {done.returncode}.", flush=True)


def outcome(plan: SweepPlan, study: Study, exit_code: int, best: tuple[str, float] | None = None) -> dict[str, str]:
    """The environment variables that tell how the session ended."""
    scored = ((one.name, one.score) for one in ranked(study.trials.values()) if one.score is not None)
    best = best or next(scored, None)
    return {
        "SWEEP_NAME": plan.name,
        "SWEEP_FOLDER": str(plan.folder),
        "SWEEP_STATE": "finished" if study.complete else "interrupted",
        "SWEEP_EXIT_CODE": str(exit_code),
        "SWEEP_TRIALS": str(study.state.tried),
        "SWEEP_BEST_TRIAL": best[0] if best else "",
        "SWEEP_BEST_SCORE": f"{best[1]:.4f}" if best else "",
    }
