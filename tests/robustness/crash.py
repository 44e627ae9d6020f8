"""What a sweep loses when it is killed: ``python -m tests.robustness.crash [--kills N] [--seed S] [--json FILE]``.

A sweep of small networks is killed (SIGKILL to the driver) after a random time, audited, gone on with, and so on.
Counted after every kill, against what the ledger and the trials' files said after the one before:

- lost: trials or epochs that are gone, or whose values are others;
- doubled: epochs or points that are there twice, and all else that the audit of ``--check`` finds;
- redone: epochs of a trial that was running that its next process has to train again, the one that was interrupted
  among them.

With one trial at a time the same sweep is then run without a kill, and every decision must be the same. The exit code
is 1 if anything was lost, doubled or decided otherwise, or a trial redid more than one epoch.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from src.errors import EXIT_FAILED, UserError, run_command
from src.folders import user_path
from src.models.checkpoint import load_checkpoint
from src.synthetic import write_dataset
from sweeps.audit import audit
from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.recorded import read_state

LONGEST_SECONDS = 35.0
"""Until a kill; the first third is the start of the program and of Ray."""
ENDLESS = 2000  # trials: more than any number of kills lets end
QUIET_SECONDS = 600.0
NETWORK = ("model.encoder=tiny", "model.decoder=tiny", "data.image_size=[32,32]", "data.batch_size=4", "device=cpu")


class Trial(NamedTuple):
    """What is known of a trial between two kills."""

    state: str
    values: dict[int, float | None]


class Sweep:
    """A sweep in a folder of its own, run by the command that a user has."""

    def __init__(self, root: Path, name: str, trials_at_once: int) -> None:
        self.root, self.name, self.trials_at_once = root, name, trials_at_once
        self.folder = root / "outputs" / "sweeps" / name

    def start(self, *more: str) -> subprocess.Popen[str]:
        """Begin the sweep, or go on with it."""
        words = ["quickstart", f"output_root={self.root / 'outputs'}", "--name", self.name]
        if (self.folder / "sweep.yaml").is_file():
            words += ["--resume"]
        else:
            words += [*NETWORK, f"data.root={self.root / 'data'}", "--trials", str(ENDLESS), "--max-epochs", "27"]
            words += ["--trials-at-once", str(self.trials_at_once), *more]
        command = [sys.executable, "-m", "sweeps.run", *words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def trials(self) -> dict[str, Trial]:
        if not (self.folder / LEDGER_FILE).is_file():
            return {}
        ledger = Ledger(self.folder / LEDGER_FILE, read_only=True)
        found = {row["name"]: Trial(row["state"], ledger.values(row["name"])) for row in ledger.trials()}
        ledger.close()
        return found

    def decisions(self) -> list[tuple[str, int, float | None, str]]:
        """Trial, epoch, value and what was decided, in order."""
        ledger = Ledger(self.folder / LEDGER_FILE, read_only=True)
        query = "SELECT trial, epoch, value, decision FROM report ORDER BY seq"
        found = ledger.database.execute(query).fetchall()
        ledger.close()
        return found

    def redone(self) -> dict[str, int]:
        """Epochs that each running trial has to train again: those after its newest sound checkpoint, and one."""
        running = {
            name: max(trial.values, default=0) for name, trial in self.trials().items() if trial.state == "running"
        }
        return {name: known - self.saved_epoch(name, known) + 1 for name, known in running.items()}

    def saved_epoch(self, name: str, known: int) -> int:
        """The epoch that a trial goes on from; at most the one that the sweep knows of."""
        path = self.folder / name / "checkpoints" / "last.pth"
        for candidate in (path, path.with_name("previous.pth")):
            try:
                return min(known, int(load_checkpoint(candidate)["epoch"]))
            except UserError:
                continue
        return 0


def lost(before: dict[str, Trial], after: dict[str, Trial]) -> list[str]:
    """What the sweep had and has no more, a line each."""
    lines: list[str] = []
    for name, trial in before.items():
        if name not in after:
            lines.append(f"{name} is gone")
        elif {epoch: after[name].values.get(epoch) for epoch in trial.values} != trial.values:
            lines.append(f"{name} reported {trial.values}, now {after[name].values}")
        elif trial.state in ("complete", "failed") and after[name].state != trial.state:
            lines.append(f"{name} was {trial.state}, now it is {after[name].state}")
    return lines


def kill_after(process: subprocess.Popen[str], seconds: float) -> None:
    """SIGKILL; a sweep that ended by itself before is a ``UserError`` with what it said."""
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return
    raise UserError(f"The sweep ended by itself with exit code {process.returncode}:\n{said}")


def torture(sweep: Sweep, kills: int, seed: int) -> dict[str, Any]:
    """Kill the sweep again and again; what came of it."""
    draw = random.Random(seed)
    before: dict[str, Trial] = {}
    gone: list[str] = []
    wrong: list[str] = []
    redone: list[int] = []
    for number in range(1, kills + 1):
        kill_after(sweep.start(), draw.uniform(0.0, LONGEST_SECONDS))
        time.sleep(1.0)  # the trials' processes notice it, and end
        after = sweep.trials()
        gone += lost(before, after)
        wrong += [line for line in audit_of(sweep.folder) if "leaderboard" not in line]  # written at the end
        again = sweep.redone()
        redone += again.values()
        before = after
        ended = sum(trial.state in ("complete", "paused", "stopped", "failed") for trial in after.values())
        print(f"kill {number}: {ended} trials ended or paused, lost {len(gone)}, doubled {len(wrong)}, redone {again}")
        sys.stdout.flush()
    return {"lost": gone, "doubled": wrong, "redone": redone}


def audit_of(folder: Path) -> list[str]:
    return audit(folder) if (folder / "sweep.yaml").is_file() else []


def differing(sweep: Sweep, root: Path) -> tuple[int, int]:
    """Decisions that a sweep without kills takes otherwise, and all that were compared."""
    if not (sweep.folder / LEDGER_FILE).is_file():  # every kill came before the sweep began
        return 0, 0
    decided = sweep.decisions()
    ledger = Ledger(sweep.folder / LEDGER_FILE, read_only=True)
    epochs = read_state(ledger).epochs
    ledger.close()
    if not epochs:  # every kill came before the first one was done
        return 0, 0
    quiet = Sweep(root, "quiet", sweep.trials_at_once)
    process = quiet.start("--epochs", str(epochs))
    said, _ = process.communicate(timeout=QUIET_SECONDS + epochs)
    if process.returncode:
        raise UserError(f"The sweep without kills ended with exit code {process.returncode}:\n{said}")
    others = quiet.decisions()
    pairs = list(zip(decided, others, strict=False))[:-1]  # the budget of epochs ends the last
    return sum(one != other for one, other in pairs), len(pairs)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.robustness.crash", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--trials-at-once", type=int, default=1)
    parser.add_argument("--json", type=user_path, help="write the figures there")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_dataset(root / "data", images=20, seed=1, size=32)
        sweep = Sweep(root, "killed", options.trials_at_once)
        found = torture(sweep, options.kills, options.seed)
        others, compared = differing(sweep, root) if options.trials_at_once == 1 else (0, 0)
        trials = len(sweep.trials())
    for line in [*found["lost"], *found["doubled"]]:
        print(line)
    worst = max(found["redone"], default=0)
    print(f"{options.kills} kills, {trials} trials: lost {len(found['lost'])}, doubled {len(found['doubled'])}")
    print(f"epochs redone by {len(found['redone'])} trials that were running: at most {worst}")
    print(f"decisions that differ from those without a kill: {others} of {compared}")
    if options.json:
        figures = found | {"kills": options.kills, "trials": trials, "differing": others, "compared": compared}
        options.json.write_text(json.dumps(figures, indent=2))
    return EXIT_FAILED if found["lost"] or found["doubled"] or others or worst > 1 else 0


if __name__ == "__main__":
    sys.exit(run_command(main))
