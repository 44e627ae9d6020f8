"""Writes maps of one band: as PNG where they fit into memory, otherwise as a tiled GeoTIFF, row by row."""

import errno
import os
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import disk_usage
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from src.atomic import replaced_file
from src.data.files import UInt8Array
from src.maps.georeference import Georeference
from src.maps.raster import CACHE
from src.scoring.pictures import write_picture

if TYPE_CHECKING:  # an extra
    from rasterio.io import DatasetWriter

SPACE = 2**20
"""Bytes below which a disk is full."""
BLOCK = 256
"""Pixels of a side of a tile in a file."""


class Writer(Protocol):
    """A map (H, W) uint8 that is written from top to bottom."""

    def write(self, rows: UInt8Array) -> None: ...


class Picture:
    """A map in memory."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.values = np.empty(shape[:2], np.uint8)
        self.top = 0

    def write(self, rows: UInt8Array) -> None:
        self.values[self.top : self.top + len(rows)] = rows
        self.top += len(rows)


class Tiff:
    """A map in a file, of which some rows are in memory: whole tiles are written."""

    def __init__(self, dataset: "DatasetWriter") -> None:
        self.dataset = dataset
        self.held = np.empty((0, dataset.width), np.uint8)
        self.top = 0

    def write(self, rows: UInt8Array) -> None:
        self.held = np.concatenate([self.held, rows])
        whole = len(self.held) // BLOCK * BLOCK
        if self.top + len(self.held) == self.dataset.height:
            whole = len(self.held)
        if whole:
            window: Any = ((self.top, self.top + whole), (0, self.dataset.width))
            self.dataset.write(self.held[:whole], 1, window=window)
            self.held, self.top = self.held[whole:], self.top + whole


@contextmanager
def new_picture(path: Path, shape: tuple[int, ...]) -> Generator[Picture]:
    """A PNG that is written at the end; after an error there is none."""
    picture = Picture(shape)
    yield picture
    write_picture(picture.values, path)


@contextmanager
def new_tiff(path: Path, shape: tuple[int, ...], place: Georeference | None) -> Generator[Tiff]:
    """A tiled, compressed TIFF with the georeference; after an error there is none."""
    import rasterio

    options: dict[str, Any] = {"driver": "GTiff", "height": shape[0], "width": shape[1], "count": 1, "dtype": "uint8"}
    options |= {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "deflate", "BIGTIFF": "IF_SAFER"}
    if place is not None:
        options |= {"crs": place.crs, "transform": place.transform}
    with ExitStack() as stack:
        partial = stack.enter_context(replaced_file(path))
        stack.enter_context(rasterio.Env(GDAL_CACHEMAX=CACHE))
        stack.enter_context(writing(path))
        with rasterio.open(partial, "w", **options) as dataset:
            yield Tiff(cast("DatasetWriter", dataset))
        with rasterio.open(partial) as written:  # of a full disk, closing says nothing
            window: Any = ((shape[0] - 1, shape[0]), (0, shape[1]))
            written.read(1, window=window)


@contextmanager
def writing(path: Path) -> Generator[None]:
    """An error of rasterio within is an ``OSError``, as of other files: of a full disk, or of another reason."""
    from rasterio.errors import RasterioError

    try:
        yield
    except RasterioError as error:
        code = errno.ENOSPC if disk_usage(path.parent).free < SPACE else errno.EIO
        raise OSError(code, os.strerror(code), str(path)) from error
