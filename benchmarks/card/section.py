"""One section of the card check in this process.

``python -m benchmarks.card.section NAME WORK FINDINGS GIB DRY [PART ...]``, where DRY is empty or not.
The card check calls it. A CUDA error, which ends all work of its process, so costs one section and no other.
"""

import sys
import time
import warnings
from importlib import import_module
from pathlib import Path

from benchmarks.card.place import Place
from src.errors import unknown

MODULES = {
    "about": "about",
    "numbers": "exactness",
    "heal": "memory",
    "speed": "speed",
    "deterministic": "exactness",
    "memory": "memory",
    "packing": "speed",
    "sweep": "processes",
    "kill": "processes",
    "scores": "exactness",
}
"""Where each section is; no more is imported than it needs."""


def main(argv: list[str]) -> None:
    name, work, findings, memory_gib, dry, *parts = argv
    warnings.filterwarnings("ignore")
    place = Place(Path(work), Path(findings), bool(dry), float(memory_gib), tuple(parts))
    begun = time.perf_counter()
    section = getattr(import_module(f"benchmarks.card.{MODULES[name]}"), name)
    if name != "about":
        place.note("import_seconds", time.perf_counter() - begun)
    section(place)
    for part in parts:
        if part not in place.met:
            raise unknown(f"part of {name}", part, place.met)


if __name__ == "__main__":
    main(sys.argv[1:])
