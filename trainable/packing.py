"""Measures how many images a second several trainings get through together: ``measure``, and the process of each.

Every training is a process of its own, as a trial is. All of them get ready first, and then train at the same time.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from src.config.compose import load_config
from src.config.overrides import Overrides
from src.errors import UserError
from src.imports import quick_imports
from trainable.failures import without_module

READY_SECONDS = 300.0
"""After which a training that is not ready, or gives no answer, is an error."""


class Throughput(NamedTuple):
    """What trainings at the same time reach together."""

    images_per_second: float
    memory_mib: int
    """Main memory of the largest process."""


def measure(overrides: Iterable[str], at_once: int, seconds: float, memory_mib: int | None = None) -> Throughput:
    """Let ``at_once`` trainings of the same configuration run for some seconds.

    ``memory_mib``: limit for the tensors of each on its graphics card. A training that cannot run is a ``UserError``.
    """
    words = json.dumps({"overrides": list(overrides), "memory_mib": memory_mib})
    command = [sys.executable, "-m", "trainable.packing", words]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    processes = [subprocess.Popen(command, text=True, **pipes) for _ in range(at_once)]
    try:
        for process in processes:
            _answer(process)
        for process in processes:
            print(seconds, file=process.stdin, flush=True)
        answers = [json.loads(_answer(process)) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    return Throughput(
        sum(answer["images_per_second"] for answer in answers), max(answer["memory_mib"] for answer in answers)
    )


def _answer(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    if not line:
        last = process.stderr.read().strip().splitlines()[-1:] or ["the process died"]
        raise UserError(f"A training that was measured has failed: {without_module(last[0])}")
    return line


class _TimeIsOver(Exception):
    pass


def train(overrides: Iterable[str], memory_mib: int | None) -> None:
    """The process of one training: get ready, wait for a number of seconds on standard input, train so long, answer."""
    with quick_imports():
        import torch

        from src.cards import MIB
        from src.training.trainer import Trainer
        from trainable.guard import own_memory

    if memory_mib is not None and torch.cuda.is_available():
        _, total = torch.cuda.mem_get_info()
        torch.cuda.set_per_process_memory_fraction(min(1.0, memory_mib * MIB / total))
    trainer = Trainer(load_config(overrides), overrides)

    def run(seconds: float, most: int) -> float:
        """Images a second, over at most so many steps or seconds."""
        batch, steps, started = trainer.train_loader.batches.batch_size, 0, time.perf_counter()

        def on_step(done: int, total: int) -> None:
            nonlocal steps
            steps += 1
            if steps >= most or time.perf_counter() - started > seconds:
                raise _TimeIsOver

        try:
            while True:
                trainer.train_epoch(on_step)
        except _TimeIsOver:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
        return steps * batch / (time.perf_counter() - started)

    run(READY_SECONDS, most=3)  # libraries choose their algorithms in the first steps
    print("ready", flush=True)
    found = run(float(sys.stdin.readline()), most=sys.maxsize)
    print(json.dumps({"images_per_second": found, "memory_mib": own_memory() // MIB}), flush=True)


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    train(Overrides.parse(asked["overrides"]), asked["memory_mib"])
