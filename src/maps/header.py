"""What the beginning of an image file says: whether it must be read in windows, and whether it has a position."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from src.data.files import FORMATS, MAX_PIXELS, has_position
from src.folders import refuse_irregular

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


@dataclass(frozen=True)
class Header:
    """What can be known without rasterio."""

    is_large: bool
    """More than ``MAX_PIXELS``, or of a kind that only rasterio reads, such as 16 bits with four bands."""
    has_position: bool
    """Whether the file, or one beside it, says where it is. On which map may be missing, which rasterio tells."""
    is_tiff: bool = False


def read_header(path: Path) -> Header:
    """A file that is no image, or whose header is damaged, is neither: reading it says why."""
    refuse_irregular(path)
    beside = has_position_beside(path)
    try:
        with path.open("rb") as file, Image.open(file, formats=FORMATS) as image:
            is_large = image.width * image.height > MAX_PIXELS
            return Header(is_large, beside or has_position(image), image.format == "TIFF")
    except Image.DecompressionBombError:
        return Header(is_large=True, has_position=beside)
    except Exception:  # decoders of damaged files raise anything
        is_other_tiff = has_rasterio() and driver_of(path) == "GTiff"
        return Header(is_large=is_other_tiff, has_position=beside)


def has_rasterio() -> bool:
    """Whether the extra ``geo`` is installed."""
    return find_spec("rasterio") is not None


def has_position_beside(path: Path) -> bool:
    """Whether a file beside an image gives its position: ``a.tfw``, ``a.tifw`` or ``a.wld``, or ``a.tif.aux.xml``."""
    kind = path.suffix.lower().lstrip(".")
    ends = (kind[:1] + kind[-1:] + "w", kind + "w", "wld")
    if any(path.with_suffix(f".{form}").is_file() for end in ends for form in (end, end.upper())):
        return True
    other = path.with_name(path.name + ".aux.xml")
    return other.is_file() and b"<GeoTransform>" in other.read_bytes()


def driver_of(path: Path) -> str | None:
    """GDAL's reader of a file, by its first bytes."""
    with path.open("rb") as file:
        start = file.read(4)
    return next((driver for prefix, driver in DRIVERS.items() if start.startswith(prefix)), None)
