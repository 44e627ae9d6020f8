"""Large and georeferenced photographs, read window by window with rasterio (the extra ``geo``).

GDAL, which is behind rasterio, reads and writes parts of files, keeps georeferences, and knows map projections.
"""

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from src.data.files import FORMATS, MAX_PIXELS, UInt8Array, Values, bits_needed
from src.errors import UserError
from src.folders import in_full, refuse_irregular
from src.maps.georeference import MISSING
from src.maps.header import driver_of

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
        self._seen = Seen(dataset)

    def __getitem__(self, rows: slice) -> UInt8Array:
        with reading(Path(self.dataset.name)):
            found: Values = self.dataset.read(self.bands, window=bounds(rows, self.shape))
        values = np.moveaxis(found, 0, -1)
        if values.dtype == np.uint16:
            if (seen := self.seen(rows)) is not None:
                values = values * seen[..., None]  # what stands for nothing may need more bits than the photograph
            top, bits = int(values.max(initial=0)), self.bits or 16
            if bits_needed(top) > bits:
                raise UserError(f"{self.dataset.name} has grey levels up to {top}: data.bits={bits} is too low.")
            values = (values >> (bits - 8)).astype(np.uint8)
        return np.ascontiguousarray(values)

    def seen(self, rows: slice) -> UInt8Array | None:
        """(rows, W) in {0, 1}, see ``Seen``; None: all of it."""
        return self._seen[rows] if self._seen else None


class Seen:
    """Where files (H, W) show something, in {0, 1}: 0 is what lies outside of a mosaic.

    It is said by their masks, their alpha channels, or the values that they call nodata.
    """

    def __init__(self, *datasets: "DatasetReader") -> None:
        self.datasets = [one for one in datasets if "all_valid" not in {flag.name for flag in one.mask_flag_enums[0]}]

    def __bool__(self) -> bool:
        """Whether there may be anything that is not seen."""
        return bool(self.datasets)

    def __getitem__(self, window: Window) -> UInt8Array:
        """It needs files that may not be seen."""
        found = list[npt.NDArray[np.bool_]]()
        for dataset in self.datasets:
            with reading(Path(dataset.name)):
                found.append(dataset.dataset_mask(window=bounds(window, dataset.shape)) > 0)
        return np.logical_and.reduce(found).view(np.uint8)


class Band:
    """An opened map of one band (H, W) uint8, whose rows or windows are read when they are asked for."""

    def __init__(self, dataset: "DatasetReader") -> None:
        self.dataset = dataset
        self.shape = (dataset.height, dataset.width)
        has_alpha = dataset.count == 2 and dataset.colorinterp[1].name == "alpha"
        if not (dataset.count == 1 or has_alpha) or dataset.dtypes[0] != "uint8":
            raise UserError(
                f"{dataset.name} is not a mask: it has {dataset.count} bands of {dataset.dtypes[0]}; a GeoTIFF or "
                "large mask must have one band of 8 bits."
            )

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


@contextmanager
def reading(path: Path) -> Generator[None]:
    """An error of rasterio within is a ``UserError`` that names the file."""
    from rasterio.errors import RasterioError

    try:
        yield
    except RasterioError as error:
        detail = " ".join(str(error.__cause__ or error).split())
        raise UserError(f"Cannot read {in_full(path)}: {detail}.") from error
