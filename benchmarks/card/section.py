"""One section of the card check in this process: ``python -m benchmarks.card.section NAME WORK FINDINGS GIB [--dry]``.

The card check calls it. A CUDA error, which ends all work of its process, so costs one section and no other.
"""

import sys
import warnings
from importlib import import_module
from pathlib import Path

from benchmarks.card.place import Place

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
    name, work, findings, memory_gib, *dry = argv
    warnings.filterwarnings("ignore")
    place = Place(Path(work), Path(findings), bool(dry), float(memory_gib))
    getattr(import_module(f"benchmarks.card.{MODULES[name]}"), name)(place)


if __name__ == "__main__":
    main(sys.argv[1:])
