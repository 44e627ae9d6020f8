"""What a sweep on a cluster loses: ``python -m tests.robustness.cluster_faults [--faults N] [--seed S] [--json FILE]``.

A head and two more nodes, a core each, run a sweep whose trials sleep (``benchmarks.sleeping_sweep``). Again and again
something breaks at a random moment: a node loses its power and comes back, a trial's process dies, the sweep's own
process is killed and started again with --resume, or a node hangs for 30 to 90 seconds. After each fault is counted:

- lost: trials or epochs that are gone, or whose values are others;
- doubled: epochs or points that are there twice, and all else that the audit of ``--check`` finds. Replaying the
  ledger is a part of it, so a decision that the rules would not take again is found too.

At the end: epochs that were trained more than once. A fault may cost the running epoch of each place that it hits. The
exit code is 1 if anything was lost or doubled, or more epochs were trained again.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.made_cluster import MadeCluster
from src.errors import EXIT_FAILED, UserError, run_command
from src.folders import user_path
from src.lines import read_lines
from src.synthetic import write_dataset
from sweeps.audit import audit
from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.search.events import Lost
from tests.robustness.crash import Trial, lost

SLEEP_SECONDS = 1.0
QUIET = (2.0, 8.0)
"""Seconds of work between two faults."""
AWAY = (0.0, 10.0)
"""Seconds before a node comes back."""
HANGS = (30.0, 90.0)
NODES = (3, 4)
"""Those beside the head, by the last number of their addresses."""
PATIENCE_SECONDS = 180.0
"""Until the sweep trains again."""
ENDLESS = 2000  # trials: more than any number of faults lets end


class Torture:
    """A sweep on a cluster, and what is done to it."""

    def __init__(self, cluster: MadeCluster, root: Path, draw: random.Random) -> None:
        self.cluster, self.root, self.draw = cluster, root, draw
        self.folder = root / "outputs" / "sweeps" / "quickstart"
        self.hit = 0
        """Places whose running epoch a fault may have cost."""
        self.sweep = self.command(
            f"data.root={root / 'data'}", "data.image_size=[32,32]", "device=cpu", "--max-epochs", "27",
            "--trials", str(ENDLESS),
        )  # fmt: skip

    def command(self, *words: str) -> subprocess.Popen[str]:
        log = (self.root / "said.txt").open("a")
        root = f"output_root={self.root / 'outputs'}"
        words = ("benchmarks.sleeping_sweep", "quickstart", root, "--address", self.cluster.address, *words)
        return subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=self.cluster.folder,
            env=self.cluster.environment(),
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def trials(self) -> dict[str, Trial]:
        ledger = Ledger(self.folder / LEDGER_FILE, read_only=True)
        found = {row["name"]: Trial(row["state"], ledger.values(row["name"])) for row in ledger.trials()}
        ledger.close()
        return found

    def trained(self) -> list[dict[str, Any]]:
        return read_lines(self.root / "epochs.jsonl")

    def work(self) -> None:
        """Let the sweep train for a while; one that does not is a ``UserError``."""
        before, end = len(self.trained()), time.monotonic() + PATIENCE_SECONDS
        while len(self.trained()) == before:
            if time.monotonic() > end or self.sweep.poll() is not None:
                raise UserError(f"The sweep trains no more:\n{(self.root / 'said.txt').read_text()[-3000:]}")
            time.sleep(0.2)
        time.sleep(self.draw.uniform(*QUIET))

    def kill_node(self) -> None:
        number = self.draw.choice(NODES)
        self.hit += 1
        self.cluster.kill(number)
        time.sleep(self.draw.uniform(*AWAY))
        self.cluster.start(number)

    def kill_process(self) -> None:
        processes = [process for number in self.cluster.nodes for process in self.cluster.trials(number)]
        if processes:
            self.hit += 1
            os.kill(self.draw.choice(processes).pid, signal.SIGKILL)

    def kill_sweep(self) -> None:
        self.hit += 1 + len(NODES)
        self.sweep.kill()
        self.sweep.wait()
        time.sleep(self.draw.uniform(0.0, 2.0))
        self.sweep = self.command("--resume")

    def hang_node(self) -> None:
        number = self.draw.choice(NODES)
        self.hit += 1
        self.cluster.signal(number, signal.SIGSTOP)
        time.sleep(self.draw.uniform(*HANGS))
        self.cluster.signal(number, signal.SIGCONT)
        time.sleep(3.0)
        if self.cluster.nodes[number].poll() is not None:  # it found that it was believed dead
            self.cluster.start(number)

    def stop(self) -> None:
        """End the session as Ctrl-C does."""
        self.sweep.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            self.sweep.wait(timeout=PATIENCE_SECONDS)
        self.sweep.kill()

    @property
    def faults(self) -> list[Callable[[], None]]:
        return [self.kill_node, self.kill_process, self.kill_sweep, self.hang_node]


def torture(root: Path, faults: int, seed: int) -> dict[str, Any]:
    """Break something again and again; what came of it."""
    write_dataset(root / "data", images=20, seed=1, size=32)
    gone: list[str] = []
    wrong: list[str] = []
    done = Counter[str]()
    with MadeCluster(SLEEP=str(SLEEP_SECONDS), TRAINED=str(root)) as cluster:
        for number in NODES:
            cluster.start(number)
        one = Torture(cluster, root, random.Random(seed))
        one.work()
        for number in range(1, faults + 1):
            before, fault = one.trials(), one.draw.choice(one.faults)
            fault()
            done[fault.__name__] += 1
            one.work()
            after = one.trials()
            gone += lost(before, after)
            wrong += lasting_problems(one.folder)
            print(f"{number} {fault.__name__}: {len(after)} trials, lost {len(gone)}, doubled {len(wrong)}", flush=True)
        one.stop()
        wrong += audit(one.folder)
        again = sum(count - 1 for count in Counter((line["trial"], line["epoch"]) for line in one.trained()).values())
        ledger = Ledger(one.folder / LEDGER_FILE, read_only=True)
        events = [record.event for record in ledger.records()]
        figures = {"trials": len(ledger.trials()), "epochs": len(one.trained()), "again": again, "allowed": one.hit}
        failed = [row["reason"] for row in ledger.trials() if row["state"] == "failed"]
        ledger.close()
    machines = sum(isinstance(event, Lost) for event in events)
    return figures | {"faults": done, "lost": gone, "doubled": wrong, "lost_machines": machines, "failed": failed}


def lasting_problems(folder: Path) -> list[str]:
    """What the audit finds three times: the sweep runs, so a trial may be ahead of the ledger that was read."""
    rounds: list[set[str]] = []
    for _ in range(3):
        rounds.append({line for line in audit(folder) if "leaderboard" not in line})  # which is written now and then
        if not rounds[-1]:
            return []
        time.sleep(2 * SLEEP_SECONDS)
    return sorted(set.intersection(*rounds))


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.robustness.cluster_faults", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--faults", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0, help="of the faults and their moments")
    parser.add_argument("--json", type=user_path, help="write the figures there")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        found = torture(Path(folder), options.faults, options.seed)
    for line in [*found["lost"], *found["doubled"]]:
        print(line)
    print(f"{dict(found['faults'])}: {found['trials']} trials, {found['epochs']} epochs")
    print(f"lost {len(found['lost'])}, doubled {len(found['doubled'])}, failed trials {len(found['failed'])}")
    print(f"epochs trained again: {found['again']}, at most {found['allowed']} are allowed")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2))
    return EXIT_FAILED if found["lost"] or found["doubled"] or found["again"] > found["allowed"] else 0


if __name__ == "__main__":
    sys.exit(run_command(main))
