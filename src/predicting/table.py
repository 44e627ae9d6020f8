"""The table of predictions: a row for each mask in a folder, with the network that has made it."""

import csv
import hashlib
from collections.abc import Sequence
from pathlib import Path

from src.atomic import replaced_file
from src.inputs import PREDICTIONS
from src.scoring.inference import Network

Row = dict[str, object]


def write_rows(out: Path, rows: Sequence[Row]) -> None:
    """Add the rows of new masks; print how many earlier masks they replace."""
    kept, replaced = earlier(out, rows)
    with replaced_file(out / PREDICTIONS) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows([*kept, *rows])
    if replaced:
        print(f"{len(replaced)} earlier masks in {out} were replaced, of {', '.join(sorted(set(replaced)))}")


def name_of(network: Network) -> str:
    """The checkpoints, each with the beginning of its SHA-256: ``best_model.pth`` may be another network later."""
    names: list[str] = []
    for part in network.parts:
        with part.checkpoint.open("rb") as file:
            names.append(f"{part.checkpoint} {hashlib.file_digest(file, 'sha256').hexdigest()[:12]}")
    return "; ".join(names)


def earlier(out: Path, rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """The rows of earlier predictions into this folder whose masks are still those, and the networks of the others."""
    path, new = out / PREDICTIONS, {row["mask"] for row in rows}
    if not path.is_file():
        return [], []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            found = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error):
        return [], []
    ours = [{**dict.fromkeys(rows[0], ""), **row} for row in found if row.keys() <= rows[0].keys() and row.get("mask")]
    replaced = [row["network"] or "an unknown network" for row in ours if row["mask"] in new]
    return [dict(row) for row in ours if row["mask"] not in new and (out / row["mask"]).is_file()], replaced
