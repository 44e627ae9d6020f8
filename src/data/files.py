"""Opening image files: what is none, ends early, or is a bomb is refused by name before its pixels are decoded.

By Pillow, whose decoders raise where a file ends early; OpenCV's return a picture with a grey end.
"""

import warnings
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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

DEPTHS = (8, 10, 12, 14, 16)
"""Bits that cameras have, and store in 16."""
SUBFILE, BITS_PER_SAMPLE, PHOTOMETRIC = 254, 258, 262
"""TIFF's tags."""

UInt8Array = npt.NDArray[np.uint8]
UInt16Array = npt.NDArray[np.uint16]
Values = npt.NDArray[Any]
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
def opened(path: Path, numbers: bool = False) -> Generator[Image.Image]:
    """The image in a file, as its pixels lie there. A file that is none, or is damaged, is a ``UserError``.

    So is one of more than ``MAX_PIXELS``, by its header alone; and one whose pixels are signed, 32-bit or floating
    ``numbers``, unless those are asked for.
    """
    refuse_irregular(path)
    try:
        # as a stream: named files that are mapped come scrambled where a TIFF is turned by a quarter (Pillow 13)
        with path.open("rb") as file, Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            if image.mode in ("I", "F") and not numbers:
                raise UserError(
                    f"Cannot read {path}: its pixels are {numbers_of(image)}; store the photograph with 8 or 16 bits."
                )
            yield image
    except PermissionError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from error
    except UserError:
        raise
    except Image.DecompressionBombError as error:
        raise UserError(f"Cannot read {path}: it has more than {MAX_PIXELS // 10**6} million pixels.") from error
    except Exception as error:  # decoders of damaged files raise anything
        raise UserError(f"Cannot decode {path}: it is no {', '.join(FORMATS)}, or it is damaged ({error}).") from error


def numbers_of(image: Image.Image) -> str:
    """What the pixels of a file of signed, 32-bit or floating numbers are, in words."""
    rawmode = str(raw_mode(image))
    bits = "16" if "16" in rawmode else "32"
    return f"{bits}-bit floating numbers" if image.mode == "F" else f"signed or long whole numbers of {bits} bits"


def raw_mode(image: Image.Image) -> str:
    """How Pillow names the layout of the pixels in a file, such as ``RGB;16B``; empty where it has no name."""
    for tile in getattr(image, "tile", [])[:1]:
        named = tile[3][0] if isinstance(tile[3], tuple) else tile[3]
        return str(named or "")
    return ""


def is_deep(image: Image.Image) -> bool:
    """Whether a file that is not yet loaded has 16 bits a channel; of colours Pillow itself keeps the upper 8 alone."""
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(BITS_PER_SAMPLE, 8)
    return image.mode in DEEP or ";16" in raw_mode(image) or max(bits if isinstance(bits, tuple) else (bits,)) == 16


def deep_values(path: Path, image: Image.Image) -> UInt16Array:
    """(H, W) or (H, W, 3) uint16 RGB as they lie in the file, of one that ``is_deep``; white is high.

    Colours are decoded by OpenCV, and must be those that Pillow has found: Pillow sees where a file is damaged.
    """
    if image.mode in DEEP:
        values = np.asarray(image)
        white_is_0 = getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == 0
        return (65535 - values if white_is_0 else values).astype(np.uint16, copy=False)
    upper = np.asarray(image.convert("RGB"))
    found = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None or found.dtype != np.uint16:
        raise UserError(f"Cannot read {path}: its 16-bit pixels lie in a way that is not read; store them as PNG.")
    colours = np.repeat(found[..., None], 3, axis=2) if found.ndim == 2 else found[..., 2::-1]
    lying = colours.astype(np.uint16, copy=False)
    way = orientation(image) if image.format == "TIFF" else 1  # which Pillow has turned
    for seen in (lying, upright(lying, way)):
        if np.array_equal(seen >> 8, upper):
            return seen
    raise UserError(f"Cannot read {path}: its 16-bit pixels lie in a way that is not read; store them as PNG.")


def read_image(path: Path, bits: int | None = None) -> UInt8Array:
    """RGB photograph, (H, W, 3) uint8, upright. A file that cannot be used is a ``UserError``.

    Of 16-bit files ``bits`` are used, and the upper 8 of those kept; a higher value is a ``UserError``. None: as many
    as this photograph needs; those of a data set need one number (``src.data.depth``). Pillow holds 4 bytes a pixel
    beside the array, which is filled strip by strip.
    """
    with opened(path) as image:
        deep = is_deep(image)  # before EXIF is read, which may load the pixels, and then Pillow forgets
        way, (width, height) = still_to_turn(image), image.size
        photograph = np.empty((width, height, 3) if way in LYING else (height, width, 3), np.uint8)
        lying = as_stored(photograph, way)
        upper = upper_bits(deep_values(path, image), bits, path) if deep else None
        rows = max(1, STRIP // width)
        for top in range(0, height, rows):
            end = min(top + rows, height)
            if upper is not None:
                lying[top:end] = upper[top:end] if upper.ndim == 3 else upper[top:end, :, None]
            else:
                lying[top:end] = np.asarray(image.crop((0, top, width, end)).convert("RGB"))
        return photograph


def depth_of(top: int) -> int:
    """Of how many bits, one of ``DEPTHS``, a photograph with this highest value is."""
    return next(depth for depth in DEPTHS if top < 2**depth)


def upper_bits(values: UInt16Array, bits: int | None, path: Path) -> UInt8Array:
    """The upper 8 of the ``bits`` that are used."""
    top = int(values.max(initial=0))
    bits = bits or depth_of(top)
    if top >> bits:
        raise UserError(f"{path} has grey levels up to {top}, more than {bits} bits hold: data.bits={bits} is too low.")
    return (values >> (bits - 8)).astype(np.uint8)


def more_pages(path: Path) -> int:
    """Further pages of a TIFF, or frames of an animation, that nobody reads; smaller copies of the first do not count.

    0 if the file cannot be read: its reader says so.
    """
    try:
        with opened(path, numbers=True) as image:
            count = int(getattr(image, "n_frames", 1))
            if count == 1:
                return 0
            whole = 0
            for page in range(1, count):
                image.seek(page)
                whole += not int(getattr(image, "tag_v2", {}).get(SUBFILE, 0)) & 1
            return whole
    except UserError:
        return 0


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


def still_to_turn(image: Image.Image) -> int:
    """The same, of the pixels as Pillow gives them: those of a TIFF it turns by itself, and says their size turned."""
    return 1 if image.format == "TIFF" else orientation(image)


def is_turned_unseen(path: Path) -> bool:
    """Whether EXIF turns or mirrors a photograph in a way that leaves its width and height as they are."""
    with opened(path) as image:
        way = orientation(image)
        return way != 1 and (way not in LYING or image.width == image.height)


def shown_size(path: Path) -> tuple[int, int]:
    """Height and width of a photograph, upright, by its header."""
    with opened(path) as image:
        return image.size if still_to_turn(image) in LYING else (image.height, image.width)


def upright(values: Values, way: int) -> Values:
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
