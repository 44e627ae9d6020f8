"""Photographs with a position on the earth, made for tests."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.transform import Affine

from src.data.files import Values

UTM = "EPSG:32632"
"""Metres; Munich is in it."""
EAST, NORTH, METRES = 691000.0, 5335000.0, 0.004
"""The upper left corner, and the side of a pixel."""


def write_geotiff(path: Path, values: Values, crs: str | None = UTM, turned: float = 0.0, **more: Any) -> Path:
    """A file of (H, W) or (H, W, bands), 4 mm a pixel, turned by degrees about its corner."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bands = values[..., None] if values.ndim == 2 else values
    options: dict[str, Any] = {"driver": "GTiff", "dtype": bands.dtype.name, "count": bands.shape[2], **more}
    if crs:
        transform = Affine.translation(EAST, NORTH) @ Affine.rotation(turned) @ Affine.scale(METRES, -METRES)
        options |= {"crs": crs, "transform": transform}
    with rasterio.open(path, "w", height=bands.shape[0], width=bands.shape[1], **options) as file:
        file.write(np.moveaxis(bands, -1, 0))
    return path
