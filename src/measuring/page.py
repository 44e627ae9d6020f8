"""The page of a measurement: what there is in all, then the photographs, the most severe first."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image

from src.measuring.drawings import band_colour
from src.measuring.severity import Severity
from src.measuring.tables import Row, number, severest_first
from src.measuring.units import Units
from src.pages import data_uri, render

TEMPLATE = Path(__file__).with_name("page.html")
PICTURES = 100
"""Photographs with a picture in the page, at most."""
SIDE = 480
"""Pixels of the longer side of a picture."""


def write_page(folder: Path, rows: Sequence[Row], severity: Severity | None) -> None:
    """Write ``report.html`` beside the overlays, from rows of ``photograph_row``."""
    order = severest_first(rows, severity)
    has_place = any(row["latitude"] is not None for row in rows)
    heads = ["photograph", "cracks", "length", "longest", "mean width", "largest width", "share", "spacing"]
    heads += ["severity"] if severity else []
    heads += ["latitude, longitude"] if has_place else []
    listed = list[dict[str, Any]]()
    for place, index in enumerate(order):
        name = f"{Path(str(rows[index]['mask'])).stem}.png"
        listed.append(
            {
                "name": rows[index]["photograph"],
                "link": "overlays/" + quote(name),
                "picture": data_uri(small(folder / "overlays" / name), "jpeg") if place < PICTURES else "",
                "cells": cells(rows[index], severity is not None, has_place),
            }
        )
    page = render(
        TEMPLATE,
        title=f"Cracks of {len(rows)} photographs" if len(rows) != 1 else f"Cracks of {rows[0]['photograph']}",
        answer=answer(rows),
        bands=bands(rows, severity) if severity else [],
        width={"mean": "mean", "max": "largest"}[severity.width] if severity else "",
        source=severity.source if severity else "",
        order="the most severe first" if severity else "the largest share of crack first",
        heads=heads,
        numbers=range(1, 8),
        rows=listed,
        shown=PICTURES,
        more=max(0, len(rows) - PICTURES),
    )
    (folder / "report.html").write_text(page, encoding="utf-8")


def small(path: Path) -> bytes:
    """A picture as a small JPEG."""
    with Image.open(path) as image:
        image.thumbnail((SIDE, SIDE))
        buffer = BytesIO()
        image.convert("RGB").save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def units_of(row: Row) -> Units:
    """The scale of a photograph."""
    return Units(None if row["mm_per_pixel"] is None else number(row, "mm_per_pixel"))


def summed(rows: Sequence[Row], name: str) -> str:
    """The sum of a length over photographs, which may have different scales, for people."""
    found = [(number(row, f"{name}_px"), units_of(row)) for row in rows]
    if any(units.mm_per_pixel is None for _, units in found):
        return Units().length_text(sum(pixels for pixels, _ in found))
    return Units(1).length_text(sum(units.mm(pixels) for pixels, units in found))


def cells(row: Row, has_severity: bool, has_place: bool) -> list[str]:
    """The texts of a photograph's row after its name."""
    units = units_of(row)

    def text(write: Any, name: str) -> str:
        return "-" if row[name] is None else write(number(row, name))

    found = [
        str(row["cracks"]),
        text(units.length_text, "length_px"),
        text(units.length_text, "longest_px"),
        text(units.width_text, "crack_width_mean_px"),
        text(units.width_text, "crack_width_max_px"),
        f"{number(row, 'share'):.2%}",
        text(units.length_text, "spacing_px"),
    ]
    found += [str(row["severity"] or "-")] if has_severity else []
    place = "-" if row["latitude"] is None else f"{row['latitude']}, {row['longitude']}"
    return found + ([place] if has_place else [])


def answer(rows: Sequence[Row]) -> list[str]:
    """The sums in sentences."""
    count, cracked = sum(int(number(row, "cracks")) for row in rows), sum(row["cracks"] != 0 for row in rows)
    if not count:
        return [f"No crack in {len(rows)} photographs."]
    scaled = [(row, units_of(row)) for row in rows]
    has_scale = all(units.mm_per_pixel is not None for _, units in scaled)
    side = [units.mm_per_pixel or 1.0 if has_scale else 1.0 for _, units in scaled]  # millimetres, or one pixel
    length = sum(number(row, "length_px") * one for row, one in zip(rows, side, strict=True))
    area = sum(number(row, "area_px") * one**2 for row, one in zip(rows, side, strict=True))
    ground = sum(number(row, "seen_px") * one**2 for row, one in zip(rows, side, strict=True))
    units = Units(1) if has_scale else Units()
    lines = [
        f"{count} cracks in {cracked} of {len(rows)} photographs, {units.length_text(length)} in all, on average "
        f"{units.width_text(area / length)} wide: {area / ground:.2%} of the area."
    ]
    if not has_scale:
        return [*lines, "Without --mm-per-pixel, all is in pixels of the photographs."]
    scales = sorted({one.mm_per_pixel or 0.0 for _, one in scaled})
    at = f"{scales[0]:g} mm a pixel" if len(scales) == 1 else f"{scales[0]:g} to {scales[-1]:g} mm a pixel"
    return [*lines, f"{1000 * length / ground:.2f} m of crack a square metre, at {at}."]


def bands(rows: Sequence[Row], severity: Severity) -> list[dict[str, str]]:
    """The rows of the table of bands."""
    names = [f"length_{name.replace(' ', '_')}" for name in severity.names]
    lengths = [sum(number(row, f"{name}_px") * (units_of(row).mm_per_pixel or 1) for row in rows) for name in names]
    total, found, lowest = sum(lengths), list[dict[str, str]](), 0.0
    for rank, (band, name, length) in enumerate(zip(severity.bands, names, lengths, strict=True)):
        limits = f"more than {lowest:g} {severity.unit}" if lowest else ""
        if band.up_to is not None:
            limits = (
                f"{lowest:g} to {band.up_to:g} {severity.unit}" if lowest else f"up to {band.up_to:g} {severity.unit}"
            )
        found.append(
            {
                "name": band.name,
                "colour": "rgb({}, {}, {})".format(*band_colour(rank, len(severity.bands))),
                "range": limits,
                "length": summed(rows, name),
                "share": f"{length / total:.0%}" if total else "-",
                "photographs": str(sum(row["severity"] == band.name for row in rows)),
            }
        )
        lowest = band.up_to or lowest
    return found
