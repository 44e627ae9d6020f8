"""Large and georeferenced photographs, read window by window with rasterio (the extra ``geo``).

GDAL, which is behind rasterio, reads and writes parts of files, keeps georeferences, and knows map projections.
"""

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from PIL import Image

from src.data.files import FORMATS, MAX_PIXELS, UInt8Array, bits_needed
from src.errors import UserError
from src.folders import in_full, refuse_irregular

if TYPE_CHECKING:  # an extra
    from rasterio.io import DatasetReader

PIXEL_SCALE, TIE_POINTS, TRANSFORMATION, GEO_KEYS = 33550, 33922, 34264, 34735
"""TIFF's tags of a georeference (OGC GeoTIFF 1.1, section 7)."""
LONGEST, LARGEST = 2**18, 2**35
"""Pixels of a side, and in all: a larger file is damaged, or a bomb."""
CACHE = 64 * 2**20
"""Bytes that GDAL keeps of files, instead of a share of the machine's memory."""
SETTINGS: dict[str, Any] = {"GDAL_CACHEMAX": CACHE, "GDAL_ERROR_ON_LIBJPEG_WARNING": True}
"""Of GDAL. Without the second, a JPEG that is cut off goes on in grey."""
DRIVERS = {
    b"II*\0": "GTiff",
    b"MM\0*": "GTiff",
    b"II+\0": "GTiff",
    b"MM\0+": "GTiff",
    b"\x89PNG": "PNG",
    b"\xff\xd8": "JPEG",
    b"BM": "BMP",
    b"RIFF": "WEBP",
}
"""GDAL's readers by the first bytes of a file."""
warnings.filterwarnings("ignore", message="Dataset has no geotransform")  # most photographs have none
MISSING = "needs rasterio: pip install rasterio, or install this project with the extra 'geo'."


@dataclass(frozen=True)
class Header:
    """What the beginning of an image file says."""

    is_large: bool
    """More than ``MAX_PIXELS``, or of a kind that only rasterio reads, such as 16 bits with four bands."""
    has_georeference: bool


def read_header(path: Path) -> Header:
    """A file that is no image, or whose header is damaged, is neither: reading it says why."""
    refuse_irregular(path)
    try:
        with path.open("rb") as file, Image.open(file, formats=FORMATS) as image:
            tags = getattr(image, "tag_v2", {})
            placed = {PIXEL_SCALE, TRANSFORMATION} & set(tags)
            return Header(image.width * image.height > MAX_PIXELS, bool(placed) and GEO_KEYS in tags)
    except Image.DecompressionBombError:
        return Header(is_large=True, has_georeference=False)
    except Exception:  # decoders of damaged files raise anything
        is_other_tiff = find_spec("rasterio") is not None and driver_of(path) == "GTiff"
        return Header(is_large=is_other_tiff, has_georeference=False)


class Raster:
    """An opened photograph: its rows are read when they are asked for, as RGB (rows, W, 3) uint8."""

    def __init__(self, dataset: "DatasetReader", bits: int | None) -> None:
        self.dataset = dataset
        self.bits = bits
        self.shape = (dataset.height, dataset.width, 3)
        self.bands = [1, 2, 3] if dataset.count >= 3 else [1, 1, 1]
        if dataset.dtypes[0] not in ("uint8", "uint16"):
            raise UserError(
                f"Cannot read {dataset.name}: its pixels are {dataset.dtypes[0]}; save it with 8 or 16 bits."
            )
        if dataset.dtypes[0] == "uint16" and bits is None:
            self.bits = 16

    def __getitem__(self, rows: slice) -> UInt8Array:
        values = np.moveaxis(self._read(self.bands, rows), 0, -1)
        if values.dtype == np.uint16:
            top, bits = int(values.max(initial=0)), self.bits or 16
            if bits_needed(top) > bits:
                raise UserError(f"{self.dataset.name} has grey levels up to {top}: data.bits={bits} is too low.")
            values = (values >> (bits - 8)).astype(np.uint8)
        return np.ascontiguousarray(values)

    def seen(self, rows: slice) -> UInt8Array:
        """(rows, W) 1 where the photograph shows something, 0 outside of a mosaic: by its alpha or nodata value."""
        begin, end, _ = rows.indices(self.shape[0])
        with reading(Path(self.dataset.name)):
            found = self.dataset.dataset_mask(window=((begin, end), (0, self.shape[1])))
        return (found > 0).astype(np.uint8)

    def _read(self, bands: list[int], rows: slice) -> Any:
        begin, end, _ = rows.indices(self.shape[0])
        with reading(Path(self.dataset.name)):
            return self.dataset.read(bands, window=((begin, end), (0, self.shape[1])))


class Band:
    """An opened map of one band (H, W) uint8, whose rows or windows are read when they are asked for."""

    def __init__(self, dataset: "DatasetReader") -> None:
        self.dataset = dataset
        self.shape = (dataset.height, dataset.width)
        if dataset.count != 1 or dataset.dtypes[0] != "uint8":
            raise UserError(
                f"{dataset.name} is not a mask: it has {dataset.count} bands of {dataset.dtypes[0]}; a GeoTIFF or "
                "large mask must have one band of 8 bits, crack where it is not 0."
            )

    def __getitem__(self, window: slice | tuple[slice, slice]) -> UInt8Array:
        parts = window if isinstance(window, tuple) else (window, slice(None))
        (top, bottom, _), (left, right, _) = (one.indices(side) for one, side in zip(parts, self.shape, strict=True))
        with reading(Path(self.dataset.name)):
            return self.dataset.read(1, window=((top, bottom), (left, right)))


class MaskFile:
    """A mask (H, W) of 0 and one other value, read in windows; a third value is a ``UserError``."""

    def __init__(self, band: Band) -> None:
        self.band = band
        self.shape = band.shape
        self.crack: int | None = None

    def __getitem__(self, window: tuple[slice, slice]) -> UInt8Array:
        found = self.band[window]
        top = int(found.max(initial=0))
        self.crack = self.crack or top or None
        if top not in (0, self.crack) or ((found > 0) & (found != top)).any():
            raise UserError(f"{self.band.dataset.name} is not a mask: it has more than two values.")
        return found


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


def driver_of(path: Path) -> str | None:
    """GDAL's reader of a file, by its first bytes."""
    with path.open("rb") as file:
        start = file.read(4)
    return next((driver for prefix, driver in DRIVERS.items() if start.startswith(prefix)), None)


@contextmanager
def reading(path: Path) -> Generator[None]:
    """An error of rasterio within is a ``UserError`` that names the file."""
    from rasterio.errors import RasterioError

    try:
        yield
    except RasterioError as error:
        detail = " ".join(str(error.__cause__ or error).split())
        raise UserError(f"Cannot read {in_full(path)}: {detail}.") from error
