"""Where a section of the card check works, and where it notes what it finds; without torch, which takes seconds."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from src.atomic import replace_text

ROOT = Path(__file__).parents[2]
FAILED = "failed"
"""The figure of a section that lists its parts that failed."""


@dataclass(frozen=True)
class Place:
    """A section's folder, its findings and what it was asked for."""

    work: Path
    """A folder for data and runs, shared by all sections of one check."""
    findings: Path
    dry: bool
    """Tiny sizes on a CPU, to see that everything runs to its end."""
    memory_gib: float
    """What the card of a user has; torch may use no more where a section asks for it."""
    parts: tuple[str, ...] = ()
    """The only parts of the section to do; all if none is named."""
    met: list[str] = field(default_factory=list[str])
    """The parts that the section has come to, done or not."""

    def note(self, figure: str, value: Any) -> None:
        """Keep a figure at once: a section that is ended has said all that it had found."""
        known = read_figures(self.findings)
        replace_text(self.findings, json.dumps(known | {figure: value}))


def read_figures(path: Path) -> dict[str, Any]:
    """What a section has noted so far."""
    return json.loads(path.read_text()) if path.is_file() else {}


def module_command(name: str, *words: str) -> list[str]:
    """The command line of one of the project's modules."""
    return [sys.executable, "-m", name, *words]
