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
from PIL import Image, ImageOps

from src.errors import UserError

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
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def list_images(folder: Path) -> list[Path]:
    """The visible image files directly in ``folder``, by name; other files are left out."""
    found = (path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    return sorted(path for path in found if not path.name.startswith("."))  # macOS puts ._NAME.jpg beside NAME.jpg


def refuse_outside(root: Path, paths: Iterable[Path]) -> None:
    """A file that is a symbolic link, or a path, out of ``root`` is a ``UserError``; whole folders may be links."""
    home = root.resolve()
    for path in paths:
        real = path.resolve()
        in_linked_folder = real.parent == path.parent.resolve() and path.is_relative_to(root) and ".." not in path.parts
        if not real.is_relative_to(home) and not in_linked_folder:
            raise UserError(f"{path} leads out of {root}, to {real}: copy it, or link the whole folder.")


@contextmanager
def opened(path: Path) -> Generator[Image.Image]:
    """The image in a file, upright by its EXIF orientation, decoded. A file that is none is a ``UserError``.

    So is one of more than ``MAX_PIXELS``, by its header alone.
    """
    if path.exists() and not path.is_file():
        raise UserError(f"Cannot read {path}: it is not a file.")
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            if image.mode in ("I", "F"):
                raise UserError(f"Cannot read {path}: its pixels are 32-bit numbers; store it with 8 or 16 bit.")
            ImageOps.exif_transpose(image, in_place=True)
            yield image
    except (FileNotFoundError, PermissionError) as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from error
    except UserError:
        raise
    except Image.DecompressionBombError as error:
        raise UserError(f"Cannot read {path}: it has more than {MAX_PIXELS // 10**6} million pixels.") from error
    except Exception as error:  # decoders of damaged files raise anything
        raise UserError(f"Cannot decode {path}: it is no {', '.join(FORMATS)}, or it is damaged ({error}).") from error


def read_image(path: Path) -> UInt8Array:
    """RGB photograph, (H, W, 3) uint8, upright; 16 bit are cut to 8. A file that cannot be used is a ``UserError``."""
    with opened(path) as image:
        if image.mode in DEEP:
            return np.repeat((np.asarray(image) >> 8).astype(np.uint8)[..., None], 3, axis=2)
        return np.array(image.convert("RGB"))


def orientation(path: Path) -> int:
    """How the pixels lie in the file, by EXIF: 1 as they are shown, 5 to 8 with width and height exchanged."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            return int(image.getexif().get(EXIF_ORIENTATION, 1))
    except Exception:  # a tag that cannot be read is none
        return 1


EXIF_ORIENTATION = 0x0112
