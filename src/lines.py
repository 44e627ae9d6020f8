"""Reads and writes a trial's ``result.json``: one JSON line for each reported epoch."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from src.atomic import replace_text


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The complete lines; a line that is being written, or was cut off by a kill, is skipped. Empty without a file."""
    found: list[dict[str, Any]] = []
    for line in path.read_text().splitlines() if path.is_file() else ():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            break  # lines are only ever added at the end
    return found


def append_line(path: Path, line: Mapping[str, Any]) -> None:
    """Add the line of one epoch. It is on the disk on return, also after a power failure."""
    with path.open("a") as file:
        file.write(json.dumps(dict(line)) + "\n")
        file.flush()
        os.fsync(file.fileno())


def replace_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Replace the file by these lines in one step."""
    replace_text(path, "".join(json.dumps(dict(line)) + "\n" for line in lines))
