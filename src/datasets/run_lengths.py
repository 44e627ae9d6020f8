"""Decodes COCO's run-length encodings: the lengths of alternating runs of 0 and 1, down the columns of a mask.

They are stored as a list, or as text in which each character holds 5 bits of a length and a flag whether more follow.
From the fourth on, a length is stored as the difference to the one two before. pycocotools calls this compressed.
"""

from collections.abc import Sequence

import numpy as np

from src.data.files import UInt8Array

FIRST = ord("0")
LONGEST = 7
"""Characters of one length: 35 bits."""


def lengths_of(counts: str | Sequence[int]) -> list[int]:
    """The lengths of the runs; an invalid encoding is a ``ValueError``."""
    lengths = unpacked(counts) if isinstance(counts, str) else [int(count) for count in counts]
    if min(lengths, default=0) < 0:
        raise ValueError("a run-length encoding has a run of less than 0 pixels")
    return lengths


def unpacked(text: str) -> list[int]:
    lengths: list[int] = []
    value = place = 0
    for letter in text:
        bits = ord(letter) - FIRST
        if not 0 <= bits < 64 or place == LONGEST:
            raise ValueError(f"{letter!r} is not allowed here in a run-length encoding")
        value |= (bits & 31) << 5 * place
        place += 1
        if not bits & 32:  # the last of this length; its highest bit is the sign
            value -= (bits & 16) << 5 * place - 4 if bits & 16 else 0
            lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
            value = place = 0
    if place:
        raise ValueError("a run-length encoding ends in the middle of a length")
    return lengths


def mask_of(lengths: Sequence[int], height: int, width: int) -> UInt8Array:
    """(H, W) uint8 in {0, 1}."""
    values = (np.arange(len(lengths)) % 2).astype(np.uint8)
    return np.repeat(values, lengths).reshape(width, height).T
