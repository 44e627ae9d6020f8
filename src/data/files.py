"""Opening image files: what is none, ends early, or is a bomb is refused by name before its pixels are decoded.

By Pillow, whose decoders raise where a file ends early; OpenCV's return a picture with a grey end.
"""

import warnings
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from src.errors import UserError
from src.folders import refuse_irregular, visible_folders

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
MAX_PIXELS = 2**27
"""134 million: a photograph of 12000 x 9000 has 108 million, and takes 309 MiB decoded."""
DEEP = frozenset({"I;16", "I;16B", "I;16L", "I;16N"})
"""Pillow's modes of one 16-bit channel."""

UInt8Array = npt.NDArray[np.uint8]
Float32Array = npt.NDArray[np.float32]

cv2.setNumThreads(0)  # loader workers and trials share the cores; OpenCV's own threads would fight over them
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.filterwarnings("ignore", module=r"PIL\.")  # what matters is an error; what does not, nobody can act on


def list_images(folder: Path) -> list[Path]:
    """The visible image files directly in ``folder``, by name; other files are left out."""
    found = (path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    return sorted(path for path in found if not path.name.startswith("."))  # macOS puts ._NAME.jpg beside NAME.jpg


def images_below(folder: Path) -> list[Path]:
    """The visible image files in the folders below ``folder``, which ``list_images`` leaves out."""
    inner = (one for one in visible_folders(folder) if one[0] != folder)
    return [here / name for here, _, names in inner for name in names if Path(name).suffix.lower() in IMAGE_SUFFIXES]


def refuse_outside(root: Path, paths: Iterable[Path]) -> None:
    """A file that is a symbolic link, or a path, out of ``root`` is a ``UserError``; whole folders may be links.

    So is what is no file at all, or has a name that nobody could print.
    """
    home = root.resolve()
    for path in paths:
        try:
            str(path).encode()
        except UnicodeEncodeError as error:
            raise UserError(f"{str(path)!a}: the name is no text in UTF-8; rename the file.") from error
        refuse_irregular(path)
        real = path.resolve()
        in_linked_folder = real.parent == path.parent.resolve() and path.is_relative_to(root) and ".." not in path.parts
        if not real.is_relative_to(home) and not in_linked_folder:
            raise UserError(f"{path} leads out of {root}, to {real}: copy it, or link the whole folder.")


@contextmanager
def opened(path: Path) -> Generator[Image.Image]:
    """The image in a file, as its pixels lie there. A file that is none, or is damaged, is a ``UserError``.

    So is one of more than ``MAX_PIXELS``, by its header alone.
    """
    refuse_irregular(path)
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            if image.mode in ("I", "F"):
                raise UserError(f"Cannot read {path}: its pixels are 32-bit numbers; store it with 8 or 16 bit.")
            yield image
    except PermissionError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from error
    except UserError:
        raise
    except Image.DecompressionBombError as error:
        raise UserError(f"Cannot read {path}: it has more than {MAX_PIXELS // 10**6} million pixels.") from error
    except Exception as error:  # decoders of damaged files raise anything
        raise UserError(f"Cannot decode {path}: it is no {', '.join(FORMATS)}, or it is damaged ({error}).") from error


def read_image(path: Path) -> UInt8Array:
    """RGB photograph, (H, W, 3) uint8, upright; 16 bit are cut to 8. A file that cannot be used is a ``UserError``.

    Pillow holds 4 bytes a pixel beside the array, which is filled strip by strip.
    """
    with opened(path) as image:
        way, (width, height) = orientation(image), image.size
        photograph = np.empty((width, height, 3) if way in LYING else (height, width, 3), np.uint8)
        lying = as_stored(photograph, way)
        rows = max(1, STRIP // width)
        for top in range(0, height, rows):
            strip = image.crop((0, top, width, min(top + rows, height)))
            if image.mode in DEEP:
                lying[top : top + rows] = (np.asarray(strip) >> 8)[..., None]
            else:
                lying[top : top + rows] = np.asarray(strip.convert("RGB"))
        return photograph


def exchange_red_and_blue(picture: UInt8Array) -> None:
    """In place, strip by strip; a grey picture (H, W) stays as it is."""
    rows = max(1, STRIP // picture.shape[1])
    for top in range(0, len(picture) if picture.ndim == 3 else 0, rows):
        picture[top : top + rows] = picture[top : top + rows, :, ::-1].copy()


def orientation(image: Image.Image) -> int:
    """How the pixels lie in a file, by EXIF: 1 as they are shown, others as ``TURNS`` has it."""
    try:
        way = int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a tag that cannot be read is none
        return 1
    return way if way in TURNS else 1


def is_turned_unseen(path: Path) -> bool:
    """Whether EXIF turns or mirrors a photograph in a way that leaves its width and height as they are."""
    with opened(path) as image:
        way = orientation(image)
        return way != 1 and (way not in LYING or image.width == image.height)


def shown_size(path: Path) -> tuple[int, int]:
    """Height and width of a photograph, upright, by its header."""
    with opened(path) as image:
        return image.size if orientation(image) in LYING else (image.height, image.width)


def upright(values: UInt8Array, way: int) -> UInt8Array:
    """An array as its file shows it, from one as it lies there; a view."""
    quarters, mirrored = TURNS[way]
    turned = np.rot90(values, quarters)
    return turned[:, ::-1] if mirrored else turned


def as_stored(values: UInt8Array, way: int) -> UInt8Array:
    """The inverse of ``upright``; a view."""
    quarters, mirrored = TURNS[way]
    return np.rot90(values[:, ::-1] if mirrored else values, -quarters)


STRIP = 2**20
"""Pixels that are converted at once."""
TURNS = {
    1: (0, False),
    2: (0, True),
    3: (2, False),
    4: (2, True),
    5: (3, True),
    6: (3, False),
    7: (1, True),
    8: (1, False),
}
"""EXIF orientation to quarter turns to the left, and whether left and right are exchanged after that."""
LYING = (5, 6, 7, 8)
"""Those that exchange width and height."""
