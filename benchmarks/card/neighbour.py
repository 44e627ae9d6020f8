"""A training in a process of its own that trains for some seconds when it is told to.

``python -m benchmarks.card.neighbour WORK DRY SIDE BATCH IMAGES GIB WORKERS`` says "ready" after an epoch. For each
line with a number of seconds on its input it answers with a line: [images a second, micro-batch].
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.card.bench import Bench, Size, finish
from benchmarks.card.place import ROOT, module_command
from src.training.trainer import Trainer


class Neighbour:
    """The process, seen from the section that started it."""

    def __init__(self, bench: Bench, size: Size, memory_gib: float, workers: int) -> None:
        self.size = Size(64, min(size.batch, 2), "tiny") if bench.dry else size
        words = [str(bench.work), "dry" if bench.dry else "", *map(str, size), str(memory_gib), str(workers)]
        command = module_command("benchmarks.card.neighbour", *words)
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready = False

    def wait_until_ready(self) -> None:
        while not self.ready:
            self.ready = self._line() == "ready"

    def go(self, seconds: float) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()

    def answer(self) -> tuple[float, int]:
        """Images a second, and the micro-batch."""
        images, micro_batch = json.loads(self._line())
        return images, micro_batch

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()

    def _line(self) -> str:
        """The next line; a process that has ended is a ``RuntimeError``, its own words stand before in the log."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"a training beside others ended with exit code {self.process.wait()}")
        return line.strip()


def train_for(trainer: Trainer, seconds: float) -> float:
    """Images a second, up to the first step that ends later than that.

    The epoch is trained to its end, as others may still be measured.
    """
    done, elapsed = 0, 0.0
    started = time.perf_counter()

    def count(*_: Any) -> None:
        nonlocal done, elapsed
        if elapsed < seconds:
            done += trainer.config.data.batch_size
            elapsed = time.perf_counter() - started

    while elapsed < seconds:
        trainer.train_epoch(count)
    return done / elapsed


def main(argv: list[str]) -> None:
    work, dry, side, batch, images, memory_gib, workers = argv
    bench = Bench(Path(work), Path(work) / "none.json", bool(dry), 0.0)
    bench.cap(float(memory_gib))
    words = [f"data.num_workers={workers}", "data.crop=none"]
    trainer = bench.trainer(words, Size(int(side), int(batch), images))
    trainer.train_epoch()
    finish()
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps([train_for(trainer, float(line)), trainer.micro_batch.size]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
