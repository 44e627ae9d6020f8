"""A sweep on a Ray cluster: ``python -m benchmarks.cluster SECTION ... [--places N ...] [--minutes M] [--json FILE]``.

The nodes are Rays on this machine, and trials only sleep (``benchmarks.sleeping_sweep``), so the driver is what works.
Sections:

- driver: the share of the places' time that is spent in epochs of 10 s, for several numbers of places, after each place
  has trained one;
- join: the part of its share of the remaining epochs that a node trains which joins after half of them;
- memory: what becomes of trials whose processes Ray ends because their node's memory is low.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from benchmarks.made_cluster import MadeCluster
from src.errors import UserError, run_command
from src.folders import user_path
from src.lines import read_lines
from src.synthetic import write_dataset
from sweeps.audit import audit
from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.search.events import Lost

PATIENCE_SECONDS = 600.0


class Sweep:
    """A sweep on a made cluster, in a folder of its own."""

    def __init__(self, cluster: MadeCluster, root: Path, *words: str) -> None:
        self.root, self.folder = root, root / "outputs" / "sweeps" / "quickstart"
        write_dataset(root / "data", images=20, seed=1, size=32)
        own = [f"output_root={root / 'outputs'}", f"data.root={root / 'data'}", "data.image_size=[32,32]", "device=cpu"]
        command = [sys.executable, "-m", "benchmarks.sleeping_sweep", "quickstart", "--address", cluster.address]
        said = (root / "said.txt").open("w")
        self.process = subprocess.Popen(
            [*command, *own, *words], cwd=cluster.folder, env=cluster.environment(), stdout=said, stderr=said
        )

    @property
    def epochs(self) -> list[dict[str, Any]]:
        return read_lines(self.root / "epochs.jsonl")

    def wait(self, done: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while not done():
            if time.monotonic() > end or (self.process.poll() or 0):
                raise UserError(f"The sweep does not go on:\n{(self.root / 'said.txt').read_text()[-2000:]}")
            time.sleep(0.2)

    def finish(self) -> None:
        self.wait(lambda: self.process.poll() == 0)
        if lines := audit(self.folder):
            raise UserError("\n".join(lines))


def driver(root: Path, places: int, minutes: float) -> dict[str, float]:
    """Every place trains epochs of 10 s for some minutes."""
    sleep = 10.0
    with MadeCluster(cores=places, SLEEP=str(sleep), TRAINED=str(root)) as cluster:
        sweep = Sweep(cluster, root, "--trials", "5000", "--max-epochs", "27", "--trials-at-once", str(places))
        sweep.wait(lambda: len({line["pid"] for line in sweep.epochs}) == places)
        begin = time.time()
        time.sleep(60 * minutes)
        end = time.time()
        sweep.process.send_signal(signal.SIGINT)
        sweep.process.wait(timeout=PATIENCE_SECONDS)
    trained = sum(overlap(line["time"] - sleep, line["time"], begin, end - sleep) for line in sweep.epochs)
    ledger = Ledger(sweep.folder / LEDGER_FILE, read_only=True)
    trials = len(ledger.trials())
    ledger.close()
    return {"places": places, "share": trained / (places * (end - sleep - begin)), "trials": trials}


def overlap(first: float, last: float, begin: float, end: float) -> float:
    """Seconds of one interval that lie in another."""
    return max(0.0, min(last, end) - max(first, begin))


def join(root: Path) -> dict[str, float]:
    """Two nodes with a core each begin a sweep, and a third one joins after half of its epochs."""
    with MadeCluster(SLEEP="1.0", TRAINED=str(root)) as cluster:
        cluster.start(3)
        sweep = Sweep(cluster, root, "--trials", "60", "--max-epochs", "27")
        sweep.wait(lambda: len(sweep.epochs) >= 150)
        before = len(sweep.epochs)
        cluster.start(4)
        sweep.finish()
    nodes = Counter(line["node"] for line in sweep.epochs[before:])
    left = len(sweep.epochs) - before
    return {
        "epochs left": left,
        "of the node that joined": nodes["127.0.0.4"],
        "of its share": 3 * nodes["127.0.0.4"] / left,
    }


def memory(root: Path) -> dict[str, Any]:
    """Another program takes 15 % of the memory for some seconds; on one of two nodes Ray then ends processes."""
    machine = psutil.virtual_memory()
    threshold = f"{machine.percent / 100 + 0.1:.3f}"
    with MadeCluster(SLEEP="1.0", TRAINED=str(root)) as cluster:
        cluster.start(3, RAY_memory_monitor_refresh_ms="250", RAY_memory_usage_threshold=threshold)
        sweep = Sweep(cluster, root, "--trials", "8", "--max-epochs", "9")
        sweep.wait(lambda: any(line["node"] == "127.0.0.3" for line in sweep.epochs))
        hog = f"import time; taken = b'x' * {int(0.15 * machine.total)}; time.sleep(5)"
        subprocess.run([sys.executable, "-c", hog], check=True)
        sweep.finish()
    ledger = Ledger(sweep.folder / LEDGER_FILE, read_only=True)
    reasons = Counter(record.event.reason for record in ledger.records() if isinstance(record.event, Lost))
    states = Counter(row["state"] for row in ledger.trials())
    ledger.close()
    return {"states": states, "lost": reasons, "nodes": Counter(line["node"] for line in sweep.epochs)}


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cluster", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("sections", nargs="+", choices=["driver", "join", "memory"])
    parser.add_argument("--places", nargs="+", type=int, default=[1, 4, 16, 64])
    parser.add_argument("--minutes", type=float, default=4.0, help="of each number of places, after all have begun")
    parser.add_argument("--json", type=user_path, help="write the figures there")
    options = parser.parse_args(argv)
    found: dict[str, Any] = {}
    for section in options.sections:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            roots = [Path(folder) / str(places) for places in options.places]
            for root in [*roots, Path(folder) / "one"]:
                root.mkdir()
            if section == "driver":
                found[section] = [
                    driver(root, places, options.minutes) for root, places in zip(roots, options.places, strict=True)
                ]
            else:
                found[section] = {"join": join, "memory": memory}[section](Path(folder) / "one")
        print(f"{section}: {json.dumps(found[section])}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    sys.exit(run_command(main))
