"""The table of predictions: a row for each mask in a folder, with the network that has made it."""

import csv
import hashlib
from collections.abc import Sequence
from pathlib import Path

from src.atomic import replaced_file
from src.inputs import PREDICTIONS
from src.scoring.inference import Network

Row = dict[str, object]
NEEDED = {"photograph", "mask"}


def read_rows(out: Path) -> list[Row]:
    """The rows of earlier predictions whose masks are in the folder, with all columns; empty without such a table."""
    path = out / PREDICTIONS
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            found = [row for row in csv.DictReader(file) if row.keys() >= NEEDED and None not in row]
    except (UnicodeDecodeError, csv.Error):
        return []
    return [
        dict(row) for row in found if Path(row["mask"] or "").parent.name == "masks" and (out / row["mask"]).is_file()
    ]


def write_rows(out: Path, earlier: Sequence[Row], rows: Sequence[Row]) -> None:
    """Write the rows of new masks and of those ``earlier`` ones that they do not replace.

    How many masks of other networks are replaced is printed.
    """
    new = {row["mask"] for row in rows}
    kept = [row for row in earlier if row["mask"] not in new]
    names = dict.fromkeys(name for row in [*rows, *kept] for name in row)
    with replaced_file(out / PREDICTIONS) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(names), restval="")
        writer.writeheader()
        writer.writerows([*kept, *rows])
    replaced = [str(row.get("network") or "an unknown network") for row in earlier if row["mask"] in new]
    if others := [name for name in replaced if name != rows[0]["network"]]:
        print(f"Masks in {out} that were replaced: {len(others)}, of {', '.join(sorted(set(others)))}")


def name_of(network: Network) -> str:
    """The checkpoints, each with the beginning of its SHA-256: ``best_model.pth`` may be another network later."""
    names: list[str] = []
    for part in network.parts:
        with part.checkpoint.open("rb") as file:
            names.append(f"{part.checkpoint} {hashlib.file_digest(file, 'sha256').hexdigest()[:12]}")
    return "; ".join(names)
