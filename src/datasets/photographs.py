"""A photograph with its mask as stored in the user's folder, and the result of reading such a folder."""

from dataclasses import dataclass, field
from pathlib import Path

from src.data.files import IMAGE_SUFFIXES, UInt8Array
from src.data.pairs import Pair, refuse_unequal_sizes, turned
from src.data.reading import Reading
from src.datasets.crackforest import read_labels
from src.datasets.drawings import Drawing


@dataclass(frozen=True)
class Source:
    """One photograph with its mask."""

    image: Path
    mask: Path | Drawing
    split: str = ""
    """Empty if the data set has no splits."""

    @property
    def picture(self) -> Path | None:
        """The mask's file, if it is a picture."""
        return self.mask if isinstance(self.mask, Path) and self.mask.suffix.lower() in IMAGE_SUFFIXES else None

    def read(self, reading: Reading) -> tuple[UInt8Array, UInt8Array]:
        """RGB photograph and mask in {0, 1}, upright. Unequal sizes and unreadable files are a ``UserError``."""
        if self.picture:
            return Pair(self.image, self.picture).read(reading)
        image = reading.image(self.image)
        drawn = read_labels(self.mask) if isinstance(self.mask, Path) else self.mask
        shape = (drawn.height, drawn.width) if isinstance(drawn, Drawing) else drawn.shape
        if (
            shape == image.shape[1::-1] and shape != image.shape[:2]
        ):  # drawn on the pixels as stored, before EXIF turns them
            drawn = turned(drawn.mask() if isinstance(drawn, Drawing) else drawn, self.image)
            shape = drawn.shape
        refuse_unequal_sizes(self.image, image.shape[:2], self.file, shape)
        return image, drawn.mask() if isinstance(drawn, Drawing) else drawn

    @property
    def file(self) -> Path:
        """The file of the mask or drawing."""
        return self.mask if isinstance(self.mask, Path) else self.mask.file


@dataclass
class FoundFiles:
    """The result of reading a folder in one format."""

    sources: list[Source] = field(default_factory=list[Source])
    unmasked: list[tuple[Path, str]] = field(default_factory=list[tuple[Path, str]])
    """Photographs without mask, each with its split."""
    orphan_masks: list[Path] = field(default_factory=list[Path])
    """Masks and drawings without photograph."""
    missing: list[str] = field(default_factory=list[str])
    """Names of photographs that a file of drawings mentions and that do not exist."""
    skipped: list[Path] = field(default_factory=list[Path])
    """Files that a note already mentions."""
    renamed: list[tuple[Path, Path]] = field(default_factory=list[tuple[Path, Path]])
    """Photographs and masks, or drawings, whose names are not equal."""
    notes: list[str] = field(default_factory=list[str])
    """Sentences for the user about what was guessed or skipped."""

    def add(self, other: "FoundFiles") -> None:
        for mine, others in zip(vars(self).values(), vars(other).values(), strict=True):
            mine.extend(others)
