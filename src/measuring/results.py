"""Measures masks one by one and writes what is found: tables, overlays and the page."""

import csv
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import track

from src.data.files import UInt8Array, read_image
from src.data.masks import MaskRule, UserRule, choose_mask_rule
from src.data.pairs import turned
from src.data.reading import inspect_masks
from src.errors import UserError
from src.measuring.cracks import measure
from src.measuring.drawings import draw_cracks
from src.measuring.page import write_page
from src.measuring.places import Place, place_of
from src.measuring.severity import Severity
from src.measuring.sources import Source
from src.measuring.tables import Photograph, Row, crack_rows, photograph_row, profile_rows
from src.measuring.units import Units
from src.scoring.pictures import write_picture

WRITTEN = ("photographs.csv", "cracks.csv", "profiles.csv", "report.html", "overlays")
"""Files and folders of a measurement."""
PAPER, CRACK = 225, 120
"""Grey levels of a mask whose photograph is not known."""


@dataclass(frozen=True)
class Wanted:
    """How to measure, and what to write."""

    units: Units
    severity: Severity | None
    min_length: float
    """Pixels: shorter cracks are left out."""
    profiles: bool


def write_results(sources: Sequence[Source], wanted: Wanted, folder: Path) -> list[str]:
    """Measure all masks and write the results into an empty folder; returns a sentence for each unreadable mask.

    Masks that cannot be understood, such as photographs, are a ``UserError``.
    """
    rule = choose_mask_rule(inspect_masks([source.mask for source in sources], UserRule()), UserRule())
    (folder / "overlays").mkdir()
    rows, unreadable, tables = list[Row](), list[str](), [Table(folder / "cracks.csv")]
    if wanted.profiles:
        tables.append(Table(folder / "profiles.csv"))
    is_terminal = bool(sys.stdout and sys.stdout.isatty())
    for source in track(sources, "measuring", disable=not is_terminal, transient=True):
        try:
            photograph, background = read(source, rule, wanted)
        except UserError as error:
            unreadable.append(str(error))
            continue
        rows.append(photograph_row(photograph, wanted.units, wanted.severity))
        tables[0].add(crack_rows(photograph, wanted.units, wanted.severity))
        if wanted.profiles:
            tables[1].add(profile_rows(photograph, wanted.units))
        picture = draw_cracks(background, photograph, wanted.units, wanted.severity)
        write_picture(picture, folder / "overlays" / f"{source.mask.stem}.png")
        print(sentence(photograph, wanted.units), flush=True)
    if not rows:
        raise UserError(f"No mask could be measured. {' '.join(unreadable)}")
    Table(folder / "photographs.csv").add(rows)
    write_page(folder, rows, wanted.units, wanted.severity)
    return unreadable


def read(source: Source, rule: MaskRule, wanted: Wanted) -> tuple[Photograph, UInt8Array]:
    """Measure one mask; also the picture to draw on: its photograph, or the mask in grey."""
    mask = rule.read(source.mask)
    background = None if source.photograph is None else read_image(source.photograph)
    if source.photograph is not None and background is not None and background.shape[:2] != mask.shape:
        mask = turned(mask, source.photograph)
        if background.shape[:2] != mask.shape:
            raise UserError(
                f"{source.photograph} is {background.shape[1]}x{background.shape[0]} pixels and its mask "
                f"{source.mask} {mask.shape[1]}x{mask.shape[0]}: both must have the same size."
            )
    if background is None:
        background = np.repeat(np.where(mask > 0, CRACK, PAPER).astype(np.uint8)[..., None], 3, axis=2)
    found = measure(mask)
    cracks = [crack for crack in found if crack.length >= wanted.min_length]
    photograph = Photograph(
        name=source.name,
        mask=source.mask,
        height=mask.shape[0],
        width=mask.shape[1],
        cracks=cracks,
        left_out=len(found) - len(cracks),
        place=place_of(source.photograph) if source.photograph else Place(),
    )
    return photograph, background


def sentence(photograph: Photograph, units: Units) -> str:
    """What is found in a photograph, in a line."""
    count, left_out = len(photograph.cracks), photograph.left_out
    more = f"  ({left_out} shorter ones left out)" if left_out else ""
    length = sum(crack.length for crack in photograph.cracks)
    return f"{photograph.name}  {count} crack{'' if count == 1 else 's'}  {units.length_text(length)}{more}"


class Table:
    """A CSV file to which rows are added; the keys of the first row are its columns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def add(self, rows: Iterable[Row]) -> None:
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer: csv.DictWriter[str] | None = None
            for row in rows:
                if writer is None:
                    writer = csv.DictWriter(file, list(row))
                    if not file.tell():
                        writer.writeheader()
                writer.writerow(row)
