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

    def write(self, rows: UInt8Array, seen: UInt8Array | None = None) -> None:
        """Further rows, and where the photograph shows something, in {0, 1}; None: everywhere."""
        ...


class Picture:
    """A map in memory. Where the photograph shows something is not kept."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.values = np.empty(shape[:2], np.uint8)
        self.top = 0

    def write(self, rows: UInt8Array, seen: UInt8Array | None = None) -> None:
        self.values[self.top : self.top + len(rows)] = rows
        self.top += len(rows)


class Tiff:
    """A map in a file, of which some rows are in memory: whole tiles are written.

    What is not seen goes into the file's own mask, which programs for maps show as transparent.
    """

    def __init__(self, dataset: "DatasetWriter") -> None:
        self.dataset = dataset
        self.held = np.empty((0, dataset.width), np.uint8)
        self.held_seen = self.held
        self.has_mask = False
        self.top = 0

    def write(self, rows: UInt8Array, seen: UInt8Array | None = None) -> None:
        """Rows with and without ``seen`` cannot be mixed in a file."""
        self.held = np.concatenate([self.held, rows])
        if seen is not None:
            self.has_mask = True
            self.held_seen = np.concatenate([self.held_seen, seen])
        whole = len(self.held) // BLOCK * BLOCK
        if self.top + len(self.held) == self.dataset.height:
            whole = len(self.held)
        if whole:
            window: Any = ((self.top, self.top + whole), (0, self.dataset.width))
            self.dataset.write(self.held[:whole], 1, window=window)
            if len(self.held_seen):
                self.dataset.write_mask(self.held_seen[:whole] * np.uint8(255), window=window)
                self.held_seen = self.held_seen[whole:]
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
        stack.enter_context(rasterio.Env(GDAL_CACHEMAX=CACHE, GDAL_TIFF_INTERNAL_MASK=True))
        stack.enter_context(writing(path))
        with rasterio.open(partial, "w", **options) as dataset:
            tiff = Tiff(cast("DatasetWriter", dataset))
            yield tiff
        with rasterio.open(partial) as written:  # of a full disk, closing says nothing
            window: Any = ((shape[0] - 1, shape[0]), (0, shape[1]))
            written.read(1, window=window)
            written.read_masks(1, window=window)
            if tiff.has_mask != ("per_dataset" in {flag.name for flag in written.mask_flag_enums[0]}):
                raise disk_error(path)


@contextmanager
def writing(path: Path) -> Generator[None]:
    """An error of rasterio within is an ``OSError``, as of other files."""
    from rasterio.errors import RasterioError

    try:
        yield
    except RasterioError as error:
        raise disk_error(path) from error


def disk_error(path: Path) -> OSError:
    """Says of a file that cannot be written, or read as it was written, that the disk is full, or that it fails."""
    code = errno.ENOSPC if disk_usage(path.parent).free < SPACE else errno.EIO
    return OSError(code, os.strerror(code), str(path))
