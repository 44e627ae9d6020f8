"""The tables of a measurement: a row a crack, a row a photograph, and the width along each crack."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import numpy as np

from src.maps.georeference import Georeference
from src.measuring.cracks import Crack, Line, mean_direction
from src.measuring.places import Place
from src.measuring.severity import Severity
from src.measuring.units import Units, rounded

Row = dict[str, object]


@dataclass(frozen=True)
class Measured:
    """The cracks that are measured in the mask of a photograph."""

    name: str
    """The file of the photograph, or of the mask where the photograph is not known."""
    mask: Path
    height: int
    width: int
    cracks: Sequence[Crack]
    """The longest first; crack 1 in the tables is the first."""
    left_out: int = 0
    """Shorter ones that were left out."""
    seen: int | None = None
    """Pixels that show something; None: all."""
    units: Units = field(default_factory=Units)
    place: Place = field(default_factory=Place)
    georeference: Georeference | None = None

    @property
    def pixels(self) -> int:
        """Pixels that show something: a mosaic has some outside of it that do not."""
        return self.height * self.width if self.seen is None else self.seen


def crack_rows(photograph: Measured, severity: Severity | None) -> Iterator[Row]:
    """A row a crack."""
    units = photograph.units
    for number, crack in enumerate(photograph.cracks, 1):
        direction, straightness = crack.direction
        x, y = crack.middle
        yield {
            "photograph": photograph.name,
            "crack": number,
            **units.lengths("length", crack.length),
            **units.lengths("width_mean", crack.width_mean),
            **units.lengths("width_max", crack.width_max),
            **units.areas("area", crack.area),
            "direction_degrees": round(direction, 1),
            "straightness": rounded(straightness),
            "branches": len(crack.lines),
            "junctions": crack.junctions,
            "loops": crack.loops,
            "at_border": int(crack.at_border),
            "x_px": rounded(x),
            "y_px": rounded(y),
            **({"severity": severity.names[severity.rank(crack, units)]} if severity else {}),
        }


def crack_columns(units: Units, severity: Severity | None) -> list[str]:
    """The columns of ``crack_rows``."""
    line = Line(np.array([[0.0, 0.0], [1.0, 0.0]]), np.ones(2), 1.0, slice(0, 2))
    crack = Crack((line,), area=1, width_mean=1, junctions=0, free_ends=2, at_border=False)
    return list(next(crack_rows(Measured("", Path(), 1, 1, [crack], units=units), severity)))


def photograph_row(photograph: Measured, severity: Severity | None) -> Row:
    """The sums over a photograph's cracks. Means and the spacing are empty where there is no crack.

    The spacing is the area that is seen divided by the length of the cracks: the distance of parallel cracks.
    """
    cracks, pixels, units = photograph.cracks, photograph.pixels, photograph.units
    length, area = sum(crack.length for crack in cracks), sum(crack.area for crack in cracks)
    row: Row = {
        "photograph": photograph.name,
        "mask": photograph.mask.name,
        "width_px": photograph.width,
        "height_px": photograph.height,
        "seen_px": pixels,
        "mm_per_pixel": units.mm_per_pixel,
        "cracks": len(cracks),
        "left_out": photograph.left_out,
        **units.lengths("length", length),
        **units.lengths("longest", max((crack.length for crack in cracks), default=None)),
        **units.lengths("crack_width_mean", weighted_width(cracks)),
        **units.lengths("crack_width_max", max((crack.width_max for crack in cracks), default=None)),
        **units.areas("area", area),
        "share": round(area / max(1, pixels), 6),
        **units.lengths("spacing", pixels / length if length else None),
    }
    if units.mm_per_pixel is not None:
        row["density_m_per_m2"] = rounded(1000 * units.mm(length) / units.mm(units.mm(max(1, pixels))))
    direction, straightness = mean_direction([line for crack in cracks for line in crack.lines])
    row |= {
        "direction_degrees": round(direction, 1) if cracks else None,
        "straightness": rounded(straightness) if cracks else None,
    }
    if severity:
        ranks = [severity.rank(crack, units) for crack in cracks]
        row["severity"] = severity.names[max(ranks)] if ranks else None
        for rank, name in enumerate(severity.names):
            own = sum(crack.length for crack, its in zip(cracks, ranks, strict=True) if its == rank)
            row |= units.lengths(f"length_{name.replace(' ', '_')}", own)
    return row | {"latitude": photograph.place.latitude, "longitude": photograph.place.longitude}


def weighted_width(cracks: Sequence[Crack]) -> float | None:
    """The mean width over the length of all cracks; None without cracks."""
    if not cracks:
        return None
    return fmean([crack.width_mean for crack in cracks], [crack.length for crack in cracks])


def profile_rows(photograph: Measured) -> Iterator[Row]:
    """The width along each branch of each crack, a row a half pixel."""
    for number, crack in enumerate(photograph.cracks, 1):
        for branch, line in enumerate(crack.lines, 1):
            for (x, y), along, width in zip(line.points, line.along, line.widths, strict=True):
                yield {
                    "photograph": photograph.name,
                    "crack": number,
                    "branch": branch,
                    **photograph.units.lengths("along", along),
                    "x_px": rounded(x),
                    "y_px": rounded(y),
                    **photograph.units.lengths("width", width),
                }


def severest_first(rows: Sequence[Row], severity: Severity | None) -> list[int]:
    """The indices of photograph rows: by the worst band and the length in it, then by the share of crack."""

    def order(index: int) -> tuple[float, float, float]:
        row = rows[index]
        worst = row.get("severity")
        rank = severity.names.index(str(worst)) if severity and worst else -1
        length = number(row, f"length_{str(worst).replace(' ', '_')}_px") if rank >= 0 else 0.0
        return -rank, -length, -number(row, "share")

    return sorted(range(len(rows)), key=order)


def number(row: Row, name: str) -> float:
    value = row[name]
    assert isinstance(value, int | float)
    return float(value)
