"""Where the levels of a photograph's pixels go until its mask is known: an array, or a file beside the mask.

Whether a part is crack is known only when all of it has been seen (``src.scoring.cleaning``), so masks are made after
the whole photograph has been predicted.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from src.atomic import partial_beside
from src.data.files import UInt8Array
from src.errors import UserError
from src.maps.photographs import OpenPhotograph
from src.maps.preview import Preview
from src.maps.raster import Band, Window, open_dataset
from src.maps.writing import Writer, disk_error, new_picture, new_tiff
from src.scoring.cleaning import Levels, strips
from src.scoring.pictures import write_picture

Masks = Callable[[Levels], Iterator[UInt8Array]]
"""From levels to the mask in {0, 1}, in the ``strips`` of its shape."""
Pictures = tuple[UInt8Array, UInt8Array]
"""A photograph (H, W, 3) and its mask (H, W), crack where it is not 0; of a file, both are small."""


@contextmanager
def new_map(path: Path, photograph: OpenPhotograph) -> Generator[Writer]:
    """A map of a photograph: PNG, or GeoTIFF for a file that is read row by row."""
    shape = photograph.image.shape
    with new_tiff(path, shape, photograph.place) if photograph.is_file else new_picture(path, shape) as writer:
        yield writer


class InMemory:
    def __init__(self, photograph: OpenPhotograph, path: Path) -> None:
        self.photograph, self.path = photograph, path
        self.values = np.empty(photograph.image.shape[:2], np.uint8)
        self.top = 0

    def write(self, levels: UInt8Array) -> None:
        """Further rows."""
        self.values[self.top : self.top + len(levels)] = levels
        self.top += len(levels)

    def finish(self, masks: Masks) -> tuple[Pictures, int]:
        """Write the mask; also the number of its crack pixels."""
        crack = 0
        for rows, mask in zip(strips(self.values.shape), masks(self.values), strict=True):
            crack += int(mask.sum())
            self.values[rows] = mask * np.uint8(255)
        write_picture(self.values, self.path)
        return (self.photograph.image[:], self.values), crack


class OwnBand(Band):
    """A map that was just written: if it cannot be read, something is wrong with the disk."""

    def __getitem__(self, window: Window) -> UInt8Array:
        try:
            return super().__getitem__(window)
        except UserError as error:
            raise disk_error(Path(self.dataset.name)) from error


class InFile:
    def __init__(self, photograph: OpenPhotograph, path: Path, between: Path, stack: ExitStack) -> None:
        self.photograph, self.path, self.between, self.stack = photograph, path, between, stack
        self.levels = stack.enter_context(new_tiff(between, photograph.image.shape, None))

    def write(self, levels: UInt8Array) -> None:
        """Further rows."""
        self.levels.write(levels)

    def finish(self, masks: Masks) -> tuple[Pictures, int]:
        """Write the mask; also the number of its crack pixels."""
        self.stack.close()  # so that the file is whole
        image, seen = self.photograph.image, self.photograph.seen
        crack, preview = 0, Preview(image.shape)
        with open_dataset(self.between) as dataset, new_map(self.path, self.photograph) as writer:
            levels = OwnBand(dataset)
            for rows, mask in zip(strips(levels.shape), masks(levels), strict=True):
                crack += int(mask.sum())
                writer.write(mask * np.uint8(255), None if seen is None else seen[rows])
                preview.add(image[rows], mask)
        return (preview.image, preview.mask), crack


@contextmanager
def new_sink(photograph: OpenPhotograph, path: Path) -> Generator[InMemory | InFile]:
    """The sink of a photograph whose mask becomes ``path``; what it has put beside it is removed at the end."""
    if not photograph.is_file:
        yield InMemory(photograph, path)
        return
    between = partial_beside(path.with_suffix(".levels.tif"))
    try:
        with ExitStack() as stack:
            yield InFile(photograph, path, between, stack)
    finally:
        between.unlink(missing_ok=True)
