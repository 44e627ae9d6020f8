"""Opens photographs: into memory, or as a file that is read row by row, where it is large or has a map or gaps."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from src.data.depth import brightest
from src.data.files import UInt8Array, Windows, open_image, read_image, remaining_orientation, upright
from src.data.tiles import Rows
from src.errors import UserError
from src.maps.georeference import Georeference, position_is_lost
from src.maps.header import read_header
from src.maps.raster import Raster, look_at, open_dataset


@dataclass(frozen=True)
class OpenPhotograph:
    path: Path
    image: Rows
    """(H, W, 3) uint8 RGB: an array, or a ``Raster``."""
    place: Georeference | None = None
    seen: Windows | None = None
    """(H, W) 0 where it shows nothing, such as outside of a mosaic, else 1; None: it shows something everywhere."""

    @property
    def is_file(self) -> bool:
        """Whether it is read, and so its results are written, row by row."""
        return isinstance(self.image, Raster)


@contextmanager
def open_photograph(path: Path, bits: int | None) -> Generator[OpenPhotograph]:
    """A photograph that cannot be read is a ``UserError``; so is one that needs rasterio, where it is not installed.

    Without rasterio, or without a map and gaps, a TIFF that fits into memory is a photograph like others.
    """
    header = read_header(path)
    about = look_at(path, header)
    if header.is_large or about.place or about.flags:
        with open_dataset(path) as dataset:
            image = Raster(dataset, bits)
            yield OpenPhotograph(path, image, Georeference.of(dataset), image.seen or None)
            return
    if header.has_position:
        print(f"{path}: {position_is_lost(path.name)}")
    yield OpenPhotograph(path, read_image(path, bits), seen=opaque(path))


def opaque(path: Path) -> UInt8Array | None:
    """Where a photograph is not wholly transparent, (H, W) in {0, 1}; None: everywhere."""
    with open_image(path) as image:
        if "A" not in image.mode and "transparency" not in image.info:
            return None
        found = (np.asarray(image.convert("RGBA").getchannel("A")) > 0).view(np.uint8)
        return None if found.all() else np.ascontiguousarray(upright(found, remaining_orientation(image)))


def brightest_seen(path: Path) -> int | None:
    """The highest value of a 16-bit photograph; None for 8 bits, and for unreadable files, which are reported later."""
    try:
        header = read_header(path)
        about = look_at(path, header)
        if header.is_large or about.place or about.flags:
            with open_dataset(path) as dataset:
                return Raster(dataset, 16).brightest() if dataset.dtypes[0] == "uint16" else None
    except UserError:
        return None
    return brightest(path)
