"""Opens the photographs to predict: into memory, or as a file that is read row by row."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from src.data.files import UInt8Array, read_image
from src.data.tiles import Rows
from src.maps.georeference import Georeference, position_is_lost
from src.maps.header import has_rasterio, read_header
from src.maps.raster import Raster, open_dataset


@dataclass(frozen=True)
class OpenPhotograph:
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
def open_photograph(path: Path, bits: int | None) -> Generator[OpenPhotograph]:
    """A photograph that cannot be read is a ``UserError``; so is one that needs rasterio, where it is not installed.

    Without rasterio, or without a map, a photograph with a position that fits into memory is one like others.
    """
    header = read_header(path)
    if header.is_large or (header.has_position and has_rasterio()):
        with open_dataset(path) as dataset:
            place = Georeference.of(dataset)
            if header.is_large or place is not None:
                yield OpenPhotograph(path, Raster(dataset, bits), place)
                return
    if header.has_position:
        print(f"{path}: {position_is_lost(path.name)}")
    yield OpenPhotograph(path, read_image(path, bits))
