"""Where a pixel of a georeferenced photograph is on the earth, and how large it is."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import cos, hypot, radians, sin, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from src.errors import UserError
from src.maps.header import has_rasterio

if TYPE_CHECKING:  # an extra
    from rasterio.io import DatasetReader

WGS_84 = "EPSG:4326"
DIGITS = 9
"""Of degrees: a tenth of a millimetre."""
SQUARE = 0.01
"""Share by which the sides of a square may differ; those of a web map differ by up to 0.007."""
RADIUS, FLATTENED = 6378137.0, 0.00669437999014
"""Metres of the ellipsoid of WGS 84, and its first eccentricity squared."""
LOCAL = re.compile(r'(?:LOCAL_CS|ENGCRS)\[.*UNIT\["(?!unknown)[^"]*",\s*([0-9.eE+-]+)')
"""A coordinate system that is not tied to the earth, and the metres of its unit (WKT)."""
MISSING = "needs rasterio: pip install rasterio, or install this project with the extra 'geo'."
Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Georeference:
    """The map of a photograph: a coordinate system, and the affine transformation from pixels to it."""

    crs: Any
    transform: Any
    centre: tuple[float, float] = field(compare=False)
    """x and y of the middle of the photograph, in pixels."""

    @classmethod
    def of(cls, dataset: "DatasetReader") -> "Georeference | None":
        """None for a file without one."""
        if not dataset.crs or dataset.transform.is_identity:
            return None
        return cls(dataset.crs, dataset.transform, (dataset.width / 2, dataset.height / 2))

    @property
    def mm_per_pixel(self) -> float:
        """The side of a pixel on the ground, in the middle of the photograph; a ``UserError`` if it is no square."""
        unit = LOCAL.match(self.crs.to_wkt())
        sides = self._local_sides(float(unit[1])) if unit else self._ground_sides()
        if not min(sides) > 0 or abs(sides[0] - sides[1]) > SQUARE * max(sides):
            sizes = f"{1000 * sides[0]:g} by {1000 * sides[1]:g} mm"
            raise UserError(f"the pixels are {sizes}, no square: give --mm-per-pixel, or resample the photograph.")
        return 1000 * sum(sides) / 2

    def _local_sides(self, unit: float) -> list[float]:
        """Metres, on the grid of a building site, say, which is not tied to the earth."""
        t = self.transform
        return [hypot(t.a, t.d) * unit, hypot(t.b, t.e) * unit]

    def _ground_sides(self) -> list[float]:
        """Metres on the ellipsoid: those of a map are not those of the ground, least of all in web maps."""
        x, y = self.centre
        step = max(1.0, min(x, y, 100.0))
        points = np.array([(x, y), (x + step, y), (x, y + step)])
        (east, north), *others = self.degrees(points)
        sine = sin(radians(north))
        across = RADIUS / sqrt(1 - FLATTENED * sine**2)  # radii of curvature (Snyder 1987, eq. 4-18 and 4-20)
        along = RADIUS * (1 - FLATTENED) / (1 - FLATTENED * sine**2) ** 1.5
        return [
            hypot(across * cos(radians(north)) * radians(its_east - east), along * radians(its_north - north)) / step
            for its_east, its_north in others
        ]

    def degrees(self, points: Points) -> list[list[float]]:
        """Longitude and latitude (WGS 84) of points (K, 2) x and y in pixels from the upper left corner."""
        from rasterio.errors import CRSError, RasterioError
        from rasterio.warp import transform

        x, y = points.T
        t = self.transform
        east, north = t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f
        try:
            found: Sequence[Any] = transform(self.crs, WGS_84, east.tolist(), north.tolist())
        except (RasterioError, CRSError, *cpl_errors()) as error:
            raise UserError("the map cannot be brought to degrees: it is not tied to the earth, or damaged.") from error
        if not np.isfinite(np.array(found[:2])).all():
            raise UserError(
                "the map cannot be brought to degrees: the photograph is outside of what its projection covers."
            )
        return [[float(one), float(other)] for one, other in zip(found[0], found[1], strict=True)]


def cpl_errors() -> tuple[type[Exception], ...]:
    """Errors of GDAL that rasterio passes on as they are."""
    from rasterio._err import CPLE_BaseError

    return (CPLE_BaseError,)


def position_is_lost(name: str) -> str:
    """Why the position of a photograph or mask is not used, where it has one and no ``Georeference``."""
    if not has_rasterio():
        return f"its georeference is not kept; that {MISSING}"
    return (
        "it has a position, but nothing says on which map, so the position is not kept. Name the map with "
        f"`rio edit-info --crs EPSG:CODE {name}`, which comes with rasterio."
    )
