"""A trial's ``result.json``: a JSON line for every epoch, as it was reported."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from src.atomic import replace_text


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The lines that are whole; one that is being written, or was cut off by a kill, is not. No file: no lines."""
    found: list[dict[str, Any]] = []
    for line in path.read_text().splitlines() if path.is_file() else ():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            break  # lines are only ever added at the end
    return found


def append_line(path: Path, line: Mapping[str, Any]) -> None:
    """Add the line of one epoch."""
    with path.open("a") as file:
        file.write(json.dumps(dict(line)) + "\n")


def replace_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Have these lines and no others, at no moment less."""
    replace_text(path, "".join(json.dumps(dict(line)) + "\n" for line in lines))
