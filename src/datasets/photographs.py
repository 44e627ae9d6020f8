"""A photograph with its mask as they lie in the user's folder, and what the reader of a format found there."""

from dataclasses import dataclass, field
from pathlib import Path

from src.data.files import IMAGE_SUFFIXES, UInt8Array
from src.data.pairs import Pair, refuse_sizes, turned
from src.data.reading import Reading
from src.datasets.crackforest import read_labels
from src.datasets.drawings import Drawing


@dataclass(frozen=True)
class Source:
    """One photograph with its mask."""

    image: Path
    mask: Path | Drawing
    split: str = ""
    """If the data set is split already."""

    @property
    def picture(self) -> Path | None:
        """The mask's file, if it is a picture."""
        return self.mask if isinstance(self.mask, Path) and self.mask.suffix.lower() in IMAGE_SUFFIXES else None

    def read(self, reading: Reading) -> tuple[UInt8Array, UInt8Array]:
        """RGB photograph and mask in {0, 1}, upright. Unequal sizes, and what cannot be read, are a ``UserError``."""
        if self.picture:
            return Pair(self.image, self.picture).read(reading)
        image = reading.image(self.image)
        drawn = read_labels(self.mask) if isinstance(self.mask, Path) else self.mask
        shape = (drawn.height, drawn.width) if isinstance(drawn, Drawing) else drawn.shape
        if shape == image.shape[1::-1] and shape != image.shape[:2]:  # drawn as the pixels lie in the file
            drawn = turned(drawn.mask() if isinstance(drawn, Drawing) else drawn, self.image)
            shape = drawn.shape
        refuse_sizes(self.image, image.shape[:2], self.file, shape)
        return image, drawn.mask() if isinstance(drawn, Drawing) else drawn

    @property
    def file(self) -> Path:
        """Where the mask, or the drawing, is stored."""
        return self.mask if isinstance(self.mask, Path) else self.mask.file


@dataclass
class Found:
    """What the reader of a format found in a folder."""

    sources: list[Source] = field(default_factory=list[Source])
    bare: list[tuple[Path, str]] = field(default_factory=list[tuple[Path, str]])
    """Photographs that have no mask, with their split."""
    lone: list[Path] = field(default_factory=list[Path])
    """Masks and drawings that have no photograph."""
    missing: list[str] = field(default_factory=list[str])
    """Photographs that a file of drawings names, and that are not there."""
    skipped: list[Path] = field(default_factory=list[Path])
    """Files that a note tells of already."""
    renamed: list[tuple[Path, Path]] = field(default_factory=list[tuple[Path, Path]])
    """Photographs and masks, or drawings, whose names are not equal."""
    notes: list[str] = field(default_factory=list[str])
    """For the user: what was guessed or left out."""

    def add(self, other: "Found") -> None:
        for mine, others in zip(vars(self).values(), vars(other).values(), strict=True):
            mine.extend(others)
