"""One section of the card check in this process: ``python -m benchmarks.card.section NAME WORK FINDINGS GIB [--dry]``.

The card check calls it. A CUDA error, which ends all work of its process, so costs one section and no other.
"""

import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.card.bench import Bench
from benchmarks.card.exactness import deterministic, numbers, scores
from benchmarks.card.memory import heal, memory
from benchmarks.card.processes import kill, sweep
from benchmarks.card.speed import packing, speed


def about(bench: Bench) -> None:
    """The card, its driver and the libraries."""
    there = torch.cuda.is_available()
    bench.note("card", torch.cuda.get_device_properties(0).name if there else None)
    bench.note("driver", driver() if there else None)
    bench.note("torch", torch.__version__)
    bench.note("cuda", torch.version.cuda)
    bench.note("cudnn", torch.backends.cudnn.version() if there else None)
    bench.note("python", sys.version.partition(" ")[0])


def driver() -> str | None:
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True, timeout=20).stdout.split()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        return None


SECTIONS: dict[str, Callable[[Bench], None]] = {
    "about": about,
    "numbers": numbers,
    "heal": heal,
    "speed": speed,
    "deterministic": deterministic,
    "memory": memory,
    "packing": packing,
    "sweep": sweep,
    "kill": kill,
    "scores": scores,
}


def main(argv: list[str]) -> None:
    name, work, findings, memory_gib, *dry = argv
    warnings.filterwarnings("ignore")
    SECTIONS[name](Bench(Path(work), Path(findings), bool(dry), float(memory_gib)))


if __name__ == "__main__":
    main(sys.argv[1:])
