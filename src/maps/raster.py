"""Large and georeferenced photographs, read window by window with rasterio (the extra ``geo``).

GDAL, which is behind rasterio, reads and writes parts of files, keeps georeferences, and knows map projections.
"""

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np

from src.data.files import FORMATS, MAX_PIXELS, UInt8Array, Values, bits_needed
from src.errors import UserError
from src.folders import in_full, refuse_irregular
from src.maps.georeference import MISSING, Georeference
from src.maps.header import Header, driver_of, has_rasterio
from src.scoring.cleaning import strips

if TYPE_CHECKING:  # an extra
    from rasterio.io import DatasetReader

LONGEST, LARGEST = 2**18, 2**35
"""Pixels of a side, and in all: a larger file is damaged, or a bomb."""
CACHE = 64 * 2**20
"""Bytes that GDAL keeps of files, instead of a share of the machine's memory."""
SETTINGS: dict[str, Any] = {"GDAL_CACHEMAX": CACHE, "GDAL_ERROR_ON_LIBJPEG_WARNING": True}
"""Of GDAL. Without the second, a JPEG that is cut off goes on in grey."""
warnings.filterwarnings("ignore", message="Dataset has no geotransform")  # most photographs have none


Window = slice | tuple[slice, slice]
"""Rows, or rows and columns."""


GRAIN = 9
"""Pixels: what has the value of nothing, and is narrower than this in a photograph, is a very dark or bright part."""


class Raster:
    """An opened photograph: its rows are read when they are asked for, as RGB (rows, W, 3) uint8."""

    def __init__(self, dataset: "DatasetReader", bits: int | None) -> None:
        """``bits``: see ``src.data.files.read_image``."""
        self.dataset = dataset
        self.shape = (dataset.height, dataset.width, 3)
        self.bands = [1, 2, 3] if dataset.count >= 3 else [1, 1, 1]
        if dataset.dtypes[0] not in ("uint8", "uint16"):
            raise UserError(
                f"Cannot read {dataset.name}: its pixels are {dataset.dtypes[0]}; save it with 8 or 16 bits."
            )
        self.seen = Seen(dataset, grain=GRAIN)
        self.bits = bits or (bits_needed(self.brightest()) if dataset.dtypes[0] == "uint16" else 8)

    def __getitem__(self, rows: slice) -> UInt8Array:
        values = self._stored(rows)
        if values.dtype == np.uint16:
            top = int(values.max(initial=0))
            if bits_needed(top) > self.bits:
                raise UserError(f"{self.dataset.name} has grey levels up to {top}: data.bits={self.bits} is too low.")
            values = (values >> (self.bits - 8)).astype(np.uint8)
        return np.ascontiguousarray(values)

    def brightest(self) -> int:
        """The highest value that is seen; all of the file is read."""
        return max(int(self._stored(rows).max(initial=0)) for rows in strips(self.shape))

    def _stored(self, rows: slice) -> Values:
        """(rows, W, 3), of 16 bits 0 where nothing is seen: what stands for it may be brighter than the photograph."""
        with reading(Path(self.dataset.name)):
            found: Values = self.dataset.read(self.bands, window=bounds(rows, self.shape))
        values = np.moveaxis(found, 0, -1)
        return values * self.seen[rows][..., None] if values.dtype == np.uint16 and self.seen else values


class Seen:
    """Where a file (H, W) shows something, in {0, 1}: 0 is what lies outside of a mosaic.

    It is said by its mask, its alpha channel, or the value that it calls nodata.
    """

    def __init__(self, dataset: "DatasetReader", grain: int = 1) -> None:
        """``grain``: parts that are narrower, in pixels, are seen although they have the value of nodata."""
        self.dataset = dataset
        self.flags = {flag.name for flag in dataset.mask_flag_enums[0]}
        self.grain = grain if "nodata" in self.flags else 1

    def __bool__(self) -> bool:
        """Whether there may be anything that is not seen."""
        return "all_valid" not in self.flags

    def __getitem__(self, window: Window) -> UInt8Array:
        (top, bottom), (left, right) = bounds(window, self.dataset.shape)
        more = self.grain - 1
        outer = slice(max(0, top - more), bottom + more), slice(max(0, left - more), right + more)
        with reading(Path(self.dataset.name)):
            unseen = self.dataset.dataset_mask(window=bounds(outer, self.dataset.shape)) == 0
        found = unseen.view(np.uint8)
        if more and found.any():
            found = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((self.grain, self.grain), np.uint8))
        inner = found[top - outer[0].start :, left - outer[1].start :][: bottom - top, : right - left]
        return 1 - inner.astype(np.uint8, copy=False)


class Band:
    """An opened map of one band (H, W) uint8, whose rows or windows are read when they are asked for."""

    def __init__(self, dataset: "DatasetReader") -> None:
        self.dataset = dataset
        self.shape = (dataset.height, dataset.width)
        has_alpha = dataset.count == 2 and dataset.colorinterp[1].name == "alpha"
        if not (dataset.count == 1 or has_alpha) or dataset.dtypes[0] != "uint8":
            raise UserError(
                f"{dataset.name} is not a mask: it has {dataset.count} bands of {dataset.dtypes[0]}; a large mask must "
                "have one band of 8 bits."
            )
        if dataset.colorinterp[0].name == "palette" or "MINISWHITE" in dataset.tags(ns="IMAGE_STRUCTURE"):
            raise UserError(f"{dataset.name}: its values stand for other colours; save a large mask without a palette.")

    def __getitem__(self, window: Window) -> UInt8Array:
        with reading(Path(self.dataset.name)):
            return self.dataset.read(1, window=bounds(window, self.shape))


def bounds(window: Window, shape: tuple[int, ...]) -> Any:
    """A window as rasterio takes it: the first row and the one after the last, and the same for columns."""
    parts = window if isinstance(window, tuple) else (window, slice(None))
    return tuple(one.indices(side)[:2] for one, side in zip(parts, shape[:2], strict=True))


@contextmanager
def open_dataset(path: Path) -> Generator["DatasetReader"]:
    """A file opened by rasterio. Without rasterio, and for what it cannot read, a ``UserError``."""
    try:
        import rasterio
    except ImportError:
        raise UserError(
            f"{path}: a photograph with a georeference or of more than {MAX_PIXELS // 10**6} million pixels {MISSING}"
        ) from None
    refuse_irregular(path)
    if (driver := driver_of(path)) is None:  # of GDAL's hundred formats, some read other files, or a network
        raise UserError(f"Cannot read {path}: it is not {', '.join(FORMATS)}.")
    with rasterio.Env(**SETTINGS), reading(path):
        dataset = rasterio.open(path.resolve(), driver=driver)
    with rasterio.Env(**SETTINGS), dataset:
        if max(dataset.width, dataset.height) > LONGEST or dataset.width * dataset.height > LARGEST:
            size = f"{dataset.width}x{dataset.height}"
            most = f"at most {LONGEST} in each direction and {LARGEST // 10**9} billion in all are read"
            raise UserError(f"Cannot read {path}: it says that it has {size} pixels; {most}.")
        yield cast("DatasetReader", dataset)


@dataclass(frozen=True)
class About:
    """What rasterio knows of a file that need not be read in windows."""

    place: Georeference | None = None
    flags: frozenset[str] = frozenset()
    """How it marks what it does not show, see ``Seen``; empty: there is no such part."""


def look_at(path: Path, header: Header) -> About:
    """Nothing without rasterio, and for other files than TIFFs that have no position."""
    if not ((header.has_position or header.is_tiff) and has_rasterio()):
        return About()
    try:
        with open_dataset(path) as dataset:
            seen = Seen(dataset)
            return About(Georeference.of(dataset), frozenset(seen.flags if seen else ()))
    except UserError:
        if header.has_position:
            raise
        return About()  # a kind of TIFF that only Pillow reads


@contextmanager
def reading(path: Path) -> Generator[None]:
    """An error of rasterio within is a ``UserError`` that names the file."""
    from rasterio.errors import RasterioError

    try:
        yield
    except RasterioError as error:
        detail = " ".join(str(error.__cause__ or error).split()).rstrip(".")
        raise UserError(f"Cannot read {in_full(path)}: {detail}.") from error
