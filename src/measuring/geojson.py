"""Writes cracks as lines on the map: GeoJSON (RFC 7946), in degrees of WGS 84."""

import json
from pathlib import Path
from types import TracebackType

from skimage.measure import approximate_polygon

from src.maps.georeference import DIGITS
from src.measuring.severity import Severity
from src.measuring.tables import Measured, crack_rows

OFF = 0.1
"""Pixels by which a line may be off, to need fewer points (Douglas and Peucker 1973)."""


class GeoJson:
    """A file of features, one a crack with the columns of ``cracks.csv``; written as they come."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("w", encoding="utf-8")
        self.file.write('{"type": "FeatureCollection", "features": [')
        self.first = True

    def __enter__(self) -> "GeoJson":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.write("\n]}\n")
        self.file.close()

    def add(self, photograph: Measured, severity: Severity | None) -> None:
        """The cracks of a photograph that has a georeference."""
        assert photograph.georeference is not None
        for crack, row in zip(photograph.cracks, crack_rows(photograph, severity), strict=True):
            lines = [
                [[round(one, DIGITS) for one in point] for point in photograph.georeference.degrees(corners)]
                for corners in (approximate_polygon(line.points, OFF) for line in crack.lines)
            ]
            geometry = {"type": "MultiLineString", "coordinates": lines}
            feature = {"type": "Feature", "properties": row, "geometry": geometry}
            self.file.write(("\n" if self.first else ",\n") + json.dumps(feature))
            self.first = False
