"""Measures masks one by one and writes what is found: tables, overlays, lines on the map, and the page."""

import csv
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.progress import track

from src.errors import UserError
from src.measuring.drawings import draw_cracks
from src.measuring.geojson import GeoJson
from src.measuring.masks import FoundMask
from src.measuring.page import write_page
from src.measuring.reading import Reader
from src.measuring.severity import Severity
from src.measuring.tables import Measured, Row, crack_columns, crack_rows, photograph_row, profile_rows, weighted_width
from src.measuring.units import Units
from src.scoring.pictures import write_picture

SPECK = 10
"""Pixels of length below which a crack is probably a speck, which is said."""
WRITTEN = ("photographs.csv", "cracks.csv", "profiles.csv", "cracks.geojson", "report.html", "overlays")
"""Files and folders of a measurement."""


@dataclass(frozen=True)
class Wanted:
    """How to measure, and what to write."""

    severity: Severity | None = None
    min_length: float = 0
    """Pixels: shorter cracks are left out."""
    profiles: bool = False
    geojson: bool = False


def write_results(masks: Sequence[FoundMask], reader: Reader, wanted: Wanted, folder: Path) -> list[str]:
    """Measure all masks and write the results into an empty folder; returns a sentence for each unreadable mask.

    Without any that can be measured it is a ``UserError``.
    """
    (folder / "overlays").mkdir()
    rows, unreadable, short = list[Row](), list[str](), 0
    cracks = Table(folder / "cracks.csv", crack_columns(next(iter(reader.units.values()), Units()), wanted.severity))
    profiles = Table(folder / "profiles.csv") if wanted.profiles else None
    is_terminal = bool(sys.stdout and sys.stdout.isatty())
    with ExitStack() as stack:
        lines = stack.enter_context(GeoJson(folder / "cracks.geojson")) if wanted.geojson else None
        for mask in track(masks, "measuring", disable=not is_terminal, transient=True):
            try:
                photograph, background = reader.read(mask, wanted.min_length)
            except UserError as error:
                unreadable.append(str(error))
                continue
            short += sum(crack.length < SPECK for crack in photograph.cracks)
            rows.append(photograph_row(photograph, wanted.severity))
            cracks.add(crack_rows(photograph, wanted.severity))
            if profiles:
                profiles.add(profile_rows(photograph))
            if lines:
                lines.add(photograph, wanted.severity)
            picture = draw_cracks(background, photograph, wanted.severity)
            write_picture(picture, folder / "overlays" / f"{mask.path.stem}.png")
            print(sentence(photograph), flush=True)
    if short:
        print(f"{short} of the cracks are shorter than {SPECK} pixels: --min-length {SPECK} leaves them out.")
    if not rows:
        raise UserError(f"No mask could be measured. {' '.join(unreadable)}")
    Table(folder / "photographs.csv").add(rows)
    write_page(folder, rows, wanted.severity)
    return unreadable


def sentence(photograph: Measured) -> str:
    """What is found in a photograph, in a line."""
    count, left_out = len(photograph.cracks), photograph.left_out
    more = f"  ({left_out} shorter left out)" if left_out else ""
    length = sum(crack.length for crack in photograph.cracks)
    width = weighted_width(photograph.cracks)
    wide = "" if width is None else f"  {photograph.units.width_text(width)} wide"
    cracks = f"{count} crack{'' if count == 1 else 's'}"
    return f"{photograph.name}  {cracks}  {photograph.units.length_text(length)}{wide}{more}"


class Table:
    """A CSV file to which rows are added; the keys of the first row are its columns."""

    def __init__(self, path: Path, columns: Sequence[str] = ()) -> None:
        """``columns`` are written at once, so that a table without rows has its columns."""
        self.path = path
        with path.open("w", newline="", encoding="utf-8") as file:
            if columns:
                csv.writer(file).writerow(columns)

    def add(self, rows: Iterable[Row]) -> None:
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer: csv.DictWriter[str] | None = None
            for row in rows:
                if writer is None:
                    writer = csv.DictWriter(file, list(row))
                    if not file.tell():
                        writer.writeheader()
                writer.writerow(row)
