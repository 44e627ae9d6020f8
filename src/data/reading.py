"""The rules by which the files of a data set are read: one for its masks, one for its photographs."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from src.cores import available_cores
from src.data.depth import choose_bits
from src.data.files import UInt8Array, read_image
from src.data.masks import MaskInfo, MaskRule, UserRule, choose_mask_rule, inspect_mask


@dataclass(frozen=True)
class Reading:
    """The rules. By default, each file is read by itself."""

    mask_rule: MaskRule = field(default_factory=MaskRule)
    bits: int | None = None
    """Bits that are used in 16-bit photographs."""

    def image(self, path: Path) -> UInt8Array:
        """RGB photograph, (H, W, 3) uint8, upright."""
        return read_image(path, self.bits)

    def mask(self, path: Path) -> UInt8Array:
        """(H, W) uint8 in {0, 1}, upright."""
        return self.mask_rule.read(path)


def inspect_masks(masks: Sequence[Path], user_rule: UserRule) -> list[MaskInfo]:
    """Collect the facts about every mask; an unreadable one is a ``UserError``."""
    with ThreadPoolExecutor(available_cores()) as pool:  # decoding releases the interpreter's lock
        return list(pool.map(lambda path: inspect_mask(path, user_rule), masks))


def choose_rules(masks: Sequence[Path], photographs: Sequence[Path], bits: int | None) -> Reading:
    """Choose the rule for masks without a rule of the user, and the bits of the photographs.

    Unclear or inconsistent masks, and photographs that need ``data.bits``, are a ``UserError``.
    """
    return Reading(choose_mask_rule(inspect_masks(masks, UserRule()), UserRule()), choose_bits(photographs, bits))
