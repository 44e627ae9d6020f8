"""Where a pixel of a georeferenced photograph is on the earth, and how large it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from src.errors import UserError

if TYPE_CHECKING:  # an extra
    from rasterio.io import DatasetReader

WGS_84 = "EPSG:4326"
DIGITS = 9
"""Of degrees: a tenth of a millimetre."""
Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Georeference:
    """The map of a photograph: a coordinate system, and the affine transformation from pixels to it."""

    crs: Any
    transform: Any

    @classmethod
    def of(cls, dataset: "DatasetReader") -> "Georeference | None":
        """None for a file without one."""
        return cls(dataset.crs, dataset.transform) if dataset.crs and not dataset.transform.is_identity else None

    @property
    def mm_per_pixel(self) -> float | None:
        """The side of a pixel; None in degrees, where it depends on the place."""
        if not self.crs.is_projected:
            return None
        _, metres = self.crs.linear_units_factor
        across = hypot(self.transform.a, self.transform.d)
        down = hypot(self.transform.b, self.transform.e)
        if abs(across - down) > 0.001 * across:
            raise UserError(
                f"The pixels of the photograph are not square: {across:g} by {down:g}. Resample it before measuring."
            )
        return 1000 * metres * (across + down) / 2

    def degrees(self, points: Points) -> list[list[float]]:
        """Longitude and latitude (WGS 84) of points (K, 2) x and y in pixels from the upper left corner."""
        from rasterio.warp import transform

        x, y = points.T
        t = self.transform
        east, north = t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f
        found: Sequence[Any] = transform(self.crs, WGS_84, east.tolist(), north.tolist())
        return [[round(one, DIGITS), round(other, DIGITS)] for one, other in zip(found[0], found[1], strict=True)]
