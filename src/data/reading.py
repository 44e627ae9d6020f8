"""How the files of a data set are read: one rule for its masks, and one for its photographs."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from src.cores import available_cores
from src.data.depth import choose_bits
from src.data.files import UInt8Array, read_image
from src.data.masks import Meaning, Said, Survey, choose_meaning, survey


@dataclass(frozen=True)
class Reading:
    """The rules. Without any, each file is read by itself."""

    meaning: Meaning = field(default_factory=Meaning)
    bits: int | None = None
    """Of 16-bit photographs, that are used."""

    def image(self, path: Path) -> UInt8Array:
        """RGB photograph, (H, W, 3) uint8, upright."""
        return read_image(path, self.bits)

    def mask(self, path: Path) -> UInt8Array:
        """(H, W) uint8 in {0, 1}, upright."""
        return self.meaning.read(path)


def survey_all(masks: Sequence[Path], said: Said) -> list[Survey]:
    """A look at every mask; one that cannot be read is a ``UserError``."""
    with ThreadPoolExecutor(available_cores()) as pool:  # decoding releases the interpreter's lock
        return list(pool.map(lambda path: survey(path, said), masks))


def choose_reading(masks: Sequence[Path], photographs: Sequence[Path], bits: int | None) -> Reading:
    """The rules for masks that say by themselves what is crack, and for ``data.bits``.

    ``UserError``: masks that are not understood, or not all in the same way; photographs that need ``data.bits``.
    """
    return Reading(choose_meaning(survey_all(masks, Said()), Said()), choose_bits(photographs, bits))
