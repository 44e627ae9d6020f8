"""Opens image files. Other, truncated and oversized files are refused by name before their pixels are decoded.

Pillow is used because its decoders raise an error for truncated files; OpenCV's return a picture with a grey end.
"""

import warnings
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from src.errors import UserError
from src.folders import refuse_irregular, visible_folders

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
MAX_PIXELS = 2**27
"""134 million. A photograph of 12000 x 9000 has 108 million and takes 309 MiB when decoded."""
MODES_16_BIT = frozenset({"I;16", "I;16B", "I;16L", "I;16N"})
"""Pillow's modes of one 16-bit channel."""

BIT_DEPTHS = (8, 10, 12, 14, 16)
"""Bit depths of cameras, which are all stored in 16 bits."""
SUBFILE, BITS_PER_SAMPLE, PHOTOMETRIC = 254, 258, 262
"""TIFF's tags."""
PIXEL_SCALE, TRANSFORMATION = 33550, 34264
"""TIFF's tags of a position on a map (OGC GeoTIFF 1.1, section 7)."""

UInt8Array = npt.NDArray[np.uint8]
UInt16Array = npt.NDArray[np.uint16]
Values = npt.NDArray[Any]
Float32Array = npt.NDArray[np.float32]


class Windows(Protocol):
    """A map (H, W) uint8 of which windows are read: an array, or a file."""

    def __getitem__(self, window: slice | tuple[slice, slice], /) -> UInt8Array: ...


class Mask(Windows, Protocol):
    """A mask (H, W), crack where it is not 0."""

    @property
    def shape(self) -> tuple[int, ...]: ...


cv2.setNumThreads(0)  # loader workers and trials share the cores; OpenCV's own threads would fight over them
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.filterwarnings("ignore", module=r"PIL\.")  # what matters is raised as an error


def list_images(folder: Path) -> list[Path]:
    """The visible image files directly in ``folder``, sorted by name."""
    found = (path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    return sorted(path for path in found if not path.name.startswith("."))  # macOS puts ._NAME.jpg beside NAME.jpg


def images_below(folder: Path) -> list[Path]:
    """The visible image files in subfolders of ``folder``, which ``list_images`` does not return."""
    inner = (one for one in visible_folders(folder) if one[0] != folder)
    return [here / name for here, _, names in inner for name in names if Path(name).suffix.lower() in IMAGE_SUFFIXES]


def refuse_outside(root: Path, paths: Iterable[Path]) -> None:
    """A ``UserError`` for a path or symbolic link that leads out of ``root``; only whole folders may be links.

    Also for paths that are not regular files, and for names that are not valid UTF-8.
    """
    home = root.resolve()
    for path in paths:
        try:
            str(path).encode()
        except UnicodeEncodeError as error:
            raise UserError(f"{str(path)!a}: the name is not valid UTF-8; rename the file.") from error
        refuse_irregular(path)
        real = path.resolve()
        in_linked_folder = real.parent == path.parent.resolve() and path.is_relative_to(root) and ".." not in path.parts
        if not real.is_relative_to(home) and not in_linked_folder:
            raise UserError(f"{path} leads out of {root}, to {real}: copy it, or link the whole folder.")


@contextmanager
def open_image(path: Path, numbers: bool = False) -> Generator[Image.Image]:
    """Open an image file without turning it by EXIF. A damaged file, or one that is not an image, is a ``UserError``.

    So is one whose header declares more than ``MAX_PIXELS``, and, without ``numbers``, one whose pixels are signed,
    32-bit or floating-point numbers.
    """
    refuse_irregular(path)
    try:
        # as a stream: given a name, Pillow 13 maps the file, and scrambles a TIFF that is turned by a quarter
        with path.open("rb") as file, Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            if image.mode in ("I", "F") and not numbers:
                raise UserError(
                    f"Cannot read {path}: its pixels are {describe_numbers(image)}; save it with 8 or 16 bits."
                )
            yield image
    except PermissionError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from error
    except UserError:
        raise
    except Image.DecompressionBombError as error:
        raise UserError(f"Cannot read {path}: it has more than {MAX_PIXELS // 10**6} million pixels.") from error
    except Exception as error:  # decoders of damaged files raise anything
        raise UserError(f"Cannot decode {path}: it is not {', '.join(FORMATS)}, or it is damaged ({error}).") from error


def describe_numbers(image: Image.Image) -> str:
    """The number type of a file with signed, 32-bit or floating-point pixels, as text."""
    rawmode = str(raw_mode(image))
    bits = "16" if "16" in rawmode else "32"
    return f"{bits}-bit floating-point numbers" if image.mode == "F" else f"signed or {bits}-bit whole numbers"


def raw_mode(image: Image.Image) -> str:
    """Pillow's name for the pixel layout of a file, such as ``RGB;16B``; empty if it has none."""
    for tile in getattr(image, "tile", [])[:1]:
        named = tile[3][0] if isinstance(tile[3], tuple) else tile[3]
        return str(named or "")
    return ""


def is_16_bit(image: Image.Image) -> bool:
    """Whether a file that is not yet loaded has 16 bits per channel. Pillow keeps only the upper 8 of colours."""
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(BITS_PER_SAMPLE, 8)
    return (
        image.mode in MODES_16_BIT
        or ";16" in raw_mode(image)
        or max(bits if isinstance(bits, tuple) else (bits,)) == 16
    )


def values_16_bit(path: Path, image: Image.Image) -> UInt16Array:
    """(H, W) or (H, W, 3) uint16 RGB as stored in a file that ``is_16_bit``; white is the highest value.

    Colours are decoded by OpenCV and must equal those of Pillow, because only Pillow notices a damaged file.
    """
    if image.mode in MODES_16_BIT:
        values = np.asarray(image)
        white_is_0 = getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == 0
        return (65535 - values if white_is_0 else values).astype(np.uint16, copy=False)
    upper = np.asarray(image.convert("RGB"))
    found = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None or found.dtype != np.uint16:
        raise UserError(f"Cannot read {path}: the layout of its 16-bit pixels is not supported; save it as PNG.")
    colours = np.repeat(found[..., None], 3, axis=2) if found.ndim == 2 else found[..., 2::-1]
    lying = colours.astype(np.uint16, copy=False)
    way = orientation(image) if image.format == "TIFF" else 1  # Pillow has turned a TIFF already
    for seen in (lying, upright(lying, way)):
        if np.array_equal(seen >> 8, upper):
            return seen
    raise UserError(f"Cannot read {path}: the layout of its 16-bit pixels is not supported; save it as PNG.")


def read_image(path: Path, bits: int | None = None) -> UInt8Array:
    """RGB photograph, (H, W, 3) uint8, upright. A file that cannot be used is a ``UserError``.

    In 16-bit files ``bits`` are used, of which the upper 8 are kept; a higher value is a ``UserError``. None: as many
    as this photograph needs; but a data set needs one number for all (``src.data.depth``). The array is filled in
    strips; Pillow holds another 4 bytes per pixel.
    """
    with open_image(path) as image:
        deep = is_16_bit(image)  # before EXIF is read: that may load the pixels, which loses the depth
        way, (width, height) = remaining_orientation(image), image.size
        photograph = np.empty((width, height, 3) if way in TRANSPOSED else (height, width, 3), np.uint8)
        lying = as_stored(photograph, way)
        upper = upper_bits(values_16_bit(path, image), bits, path) if deep else None
        rows = max(1, STRIP // width)
        for top in range(0, height, rows):
            end = min(top + rows, height)
            if upper is not None:
                lying[top:end] = upper[top:end] if upper.ndim == 3 else upper[top:end, :, None]
            else:
                lying[top:end] = np.asarray(image.crop((0, top, width, end)).convert("RGB"))
        return photograph


def bits_needed(top: int) -> int:
    """The smallest of ``BIT_DEPTHS`` that holds this value."""
    return next(depth for depth in BIT_DEPTHS if top < 2**depth)


def upper_bits(values: UInt16Array, bits: int | None, path: Path) -> UInt8Array:
    """The upper 8 of the ``bits`` in use."""
    top = int(values.max(initial=0))
    bits = bits or bits_needed(top)
    if top >> bits:
        raise UserError(f"{path} has grey levels up to {top}, more than {bits} bits hold: data.bits={bits} is too low.")
    return (values >> (bits - 8)).astype(np.uint8)


def has_position(image: Image.Image) -> bool:
    """Whether a file's tags say where it is on a map."""
    return not {PIXEL_SCALE, TRANSFORMATION}.isdisjoint(getattr(image, "tag_v2", {}))


def count_more_pages(path: Path) -> int:
    """Pages of a TIFF or frames of an animation after the first, which are not read. Smaller copies do not count.

    0 if the file cannot be read, which is reported when it is read.
    """
    try:
        with open_image(path, numbers=True) as image:
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
    """Swap the channels in place, strip by strip; a grey picture (H, W) is unchanged."""
    rows = max(1, STRIP // picture.shape[1])
    for top in range(0, len(picture) if picture.ndim == 3 else 0, rows):
        picture[top : top + rows] = picture[top : top + rows, :, ::-1].copy()


def orientation(image: Image.Image) -> int:
    """The EXIF orientation: 1 if the pixels are stored upright, otherwise a key of ``TURNS``."""
    try:
        way = int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # an unreadable tag counts as absent
        return 1
    return way if way in TURNS else 1


def remaining_orientation(image: Image.Image) -> int:
    """The orientation that is left after Pillow has loaded the file: it turns a TIFF itself."""
    return 1 if image.format == "TIFF" else orientation(image)


def is_turned_invisibly(path: Path) -> bool:
    """Whether EXIF turns or mirrors a photograph in a way that leaves its width and height as they are."""
    with open_image(path) as image:
        way = orientation(image)
        return way != 1 and (way not in TRANSPOSED or image.width == image.height)


def upright_size(path: Path) -> tuple[int, int]:
    """Height and width of a photograph after turning it upright, from its header."""
    with open_image(path) as image:
        return image.size if remaining_orientation(image) in TRANSPOSED else (image.height, image.width)


def upright(values: Values, way: int) -> Values:
    """A view of an array, turned from its stored to its upright orientation."""
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
"""EXIF orientation to the number of quarter turns to the left, and whether it is mirrored after that."""
TRANSPOSED = (5, 6, 7, 8)
"""The orientations that exchange width and height."""
