"""Where a photograph was taken: the position that a camera or a phone writes into its EXIF data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from src.data.files import FORMATS

SOUTH_OR_WEST = ("S", "W")


@dataclass(frozen=True)
class Place:
    """Degrees (WGS 84), positive to the north and to the east; None: not known."""

    latitude: float | None = None
    longitude: float | None = None


def place_of(path: Path) -> Place:
    """The position in a photograph's EXIF data. Without one, or with a damaged one, it is not known."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            gps = image.getexif().get_ifd(ExifTags.IFD.GPSInfo)
        latitude = degrees(gps[ExifTags.GPS.GPSLatitude], gps[ExifTags.GPS.GPSLatitudeRef])
        longitude = degrees(gps[ExifTags.GPS.GPSLongitude], gps[ExifTags.GPS.GPSLongitudeRef])
    except Exception:  # readers of damaged tags raise anything
        return Place()
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        return Place()
    return Place(round(latitude, 7), round(longitude, 7))


def degrees(parts: Any, side: str) -> float:
    """Degrees, minutes and seconds as degrees."""
    whole, minutes, seconds = (float(part) for part in parts)
    value = whole + minutes / 60 + seconds / 3600
    return -value if side.strip("\0 ").upper() in SOUTH_OR_WEST else value
