"""Writes the summary of a data set: a table, and a contact sheet of photographs with their masks."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from src.config.schema import SPLITS
from src.data.files import UInt8Array, read_image
from src.data.masks import read_mask
from src.scoring.pictures import contact_sheet, write_picture

SHOWN = 24
"""Photographs on the contact sheet, at most."""


class Row(NamedTuple):
    """One line of manifest.csv: ``source`` is relative to SOURCE, sizes are pixels, ``crack_share`` lies in 0..1.

    ``sha256`` is the hash of the source file.
    """

    file: str
    split: str
    group: str
    source: str
    width: int
    height: int
    crack_share: float
    sha256: str


def summary(rows: Sequence[Row]) -> list[list[str]]:
    """A table with a heading: images, groups and share of crack pixels of each split."""
    lines = [["split", "images", "groups", "crack pixels"]]
    for split in SPLITS:
        mine = [row for row in rows if row.split == split]
        pixels = sum(row.width * row.height for row in mine)
        crack = sum(row.crack_share * row.width * row.height for row in mine)
        lines.append([split, str(len(mine)), str(len({row.group for row in mine})), f"{crack / max(pixels, 1):.2%}"])
    return lines


def write_summary(
    rows: Sequence[Row], out: Path, root: Path, words: Sequence[str], notes: Sequence[str], bits: int | None
) -> None:
    """Write ``summary.md``, with the command line ``words``, and ``contact_sheet.png``, from least crack to most.

    ``notes`` are sentences about the data set; ``bits`` is the number of bits used in 16-bit photographs.
    """
    order = sorted(rows, key=lambda row: (row.crack_share, row.file))
    empty = sum(row.crack_share == 0 for row in rows)
    first = max(0, empty - 1)
    chosen_rows = np.linspace(first, len(order) - 1, min(SHOWN, len(order) - first)).round().astype(int).tolist()
    chosen = [order[place] for place in chosen_rows]
    write_picture(contact_sheet([(row.file, *_read_back(row, out, bits)) for row in chosen]), out / "contact_sheet.png")
    head, *lines = summary(rows)
    table = "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines))
    sizes = sorted({(row.width, row.height) for row in rows})
    sides = f"{sizes[0][0]}x{sizes[0][1]}" + (f" to {sizes[-1][0]}x{sizes[-1][1]}" if len(sizes) > 1 else "")
    names = ", ".join(row.file for row in chosen)
    listed = "".join(f"- {note}\n" for note in notes) + ("\n" if notes else "")
    (out / "summary.md").write_text(
        f"# {root.name}\n\n{table}\n\n{len(rows)} images of {sides} pixels; without any crack: "
        f"{empty}; most crack: {order[-1].file}, {order[-1].crack_share:.1%}.\n\n"
        f"{listed}"
        f"Made by `python -m src.prepare {shlex.join(words)}`.\n\n"
        "Crack outlined in blue, from least to most:\n\n"
        f"![photographs](contact_sheet.png)\n\nShown: {names}.\n"
    )


def _read_back(row: Row, out: Path, bits: int | None) -> tuple[UInt8Array, UInt8Array]:
    (image,) = (path for path in (out / row.split / "images").iterdir() if path.stem == row.file)
    return read_image(image, bits), read_mask(out / row.split / "masks" / f"{row.file}.png")
