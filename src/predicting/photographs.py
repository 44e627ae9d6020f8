"""Opens the photographs to predict: into memory, or as a file that is read row by row."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from src.data.files import UInt8Array, read_image
from src.data.tiles import Rows
from src.maps.georeference import Georeference
from src.maps.raster import MISSING, Raster, open_dataset, read_header


@dataclass(frozen=True)
class Photograph:
    path: Path
    image: Rows
    """(H, W, 3) uint8 RGB: an array, or a ``Raster``."""
    place: Georeference | None = None

    @property
    def is_file(self) -> bool:
        """Whether it is read, and so its results are written, row by row."""
        return isinstance(self.image, Raster)

    def seen(self, rows: slice) -> UInt8Array | None:
        """Which pixels of some rows (n, W) show something, in {0, 1}; None: all."""
        return self.image.seen(rows) if isinstance(self.image, Raster) else None


@contextmanager
def open_photograph(path: Path, bits: int | None) -> Generator[Photograph]:
    """A photograph that cannot be read is a ``UserError``; so is one that needs rasterio, where it is not installed.

    Without rasterio, a GeoTIFF that fits into memory is a photograph without a georeference.
    """
    header = read_header(path)
    if header.is_large or (header.has_georeference and find_spec("rasterio")):
        with open_dataset(path) as dataset:
            yield Photograph(path, Raster(dataset, bits), Georeference.of(dataset))
        return
    if header.has_georeference:
        print(f"{path}: its georeference is not kept; that {MISSING}")
    yield Photograph(path, read_image(path, bits))
