"""What counts as crack in the masks of a data set: one rule for all of them.

A value that is a class in one mask is none by itself in another; that nobody drew crack in a photograph is normal. So
all masks are looked at (``survey``) before any is read.

| said | crack is |
|---|---|
| nothing | what ``src.data.mask_values`` sees, if that is the same value in all masks of two values |
| a colour, and no mask has blurred edges | what has this colour exactly |
| a colour, and some have | what is nearer to it than to the other colours of the data set |
| above | what is brighter |
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from src.data.files import UInt8Array
from src.data.mask_colours import Colour, brightness, counts_of, main_colours, nearest_to, of_colour, shown
from src.data.mask_files import Stored, read_stored
from src.data.mask_values import is_map, read_alone
from src.errors import UserError

SAME_BLURRED = 48
"""Colours of JPEGs that differ by no more in any channel are one."""


@dataclass(frozen=True)
class Said:
    """What the user says is crack: these colours, or what is brighter. Nothing: it is seen in the masks."""

    colours: tuple[Colour, ...] = ()
    above: int | None = None

    def __bool__(self) -> bool:
        return bool(self.colours) or self.above is not None


class Survey(NamedTuple):
    """What is known of one mask before the data set's rule is chosen."""

    path: Path
    counts: dict[Colour, int] | None
    """Pixels of each colour; None if there are many, as of blurred edges or many classes."""
    mixed: bool
    """Whether edges have colours of their own."""
    mains: tuple[Colour, ...]
    """The colours that are no edges."""
    blurred: bool
    """By JPEG."""
    crack: Colour | None
    """Of two values or colours the one that is crack. None: there is none, or it is what is bright."""
    refusal: str
    """Why it cannot be understood by itself, if so."""


@dataclass(frozen=True)
class Meaning:
    """The rule of a data set."""

    said: Said = Said()
    mixed: bool = False
    """Whether edges have colours of their own."""
    blurred: bool = False
    others: tuple[Colour, ...] = ()
    """The colours of the data set that are not crack, if edges have some of their own."""
    crack: Colour | None = None
    """Seen in masks of two values, where nobody said it."""

    def read(self, path: Path) -> UInt8Array:
        """Crack mask, (H, W) uint8 in {0, 1}. A file that cannot be used, or understood, is a ``UserError``."""
        stored = read_stored(path)
        try:
            return self.crack_of(stored)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None

    def crack_of(self, stored: Stored) -> UInt8Array:
        if self.said.above is not None:
            return (brightness(stored.values) > self.said.above).astype(np.uint8)
        if not self.said.colours:
            return read_alone(stored)[0]
        found = np.zeros(stored.values.shape[:2], np.uint8)
        for colour in self.said.colours:
            if self.mixed:
                found |= nearest_to(stored.values, colour, self.others, self.blurred)
            else:
                found |= of_colour(stored.values, colour)
        return found


def read_mask(path: Path, crack: Colour | None = None) -> UInt8Array:
    """One mask by itself, (H, W) uint8 in {0, 1}. A file that cannot be used, or understood, is a ``UserError``."""
    said = Said() if crack is None else Said((crack,))
    return choose_meaning([survey(path, said)] if said else [], said).read(path)


def survey(path: Path, said: Said) -> Survey:
    """Look at one mask. A file that cannot be read is a ``UserError``; one that is not understood has a ``refusal``."""
    stored = read_stored(path)
    counts = counts_of(stored.values)
    if stored.blurred and len(counts or ()) > 2:
        counts = None  # however few they are, they are edges
    mains = main_colours(stored.values, stored.blurred) if counts is None and said else counts or ()
    crack, refusal = None, ""
    if not said:
        try:
            _, crack = read_alone(stored)
        except UserError as error:
            refusal = str(error)
    mixed = counts is None and not (said and is_map(stored))
    return Survey(path, counts, mixed, tuple(mains), stored.blurred, crack, refusal)


def choose_meaning(surveys: Sequence[Survey], said: Said) -> Meaning:
    """One rule for the masks of a data set. Masks that nobody can understand without a word are a ``UserError``."""
    if not said:
        refuse_unclear(surveys)
        refuse_unlike(surveys)
        return Meaning(crack=common_crack(surveys))
    mixed = any(one.mixed for one in surveys)
    blurred = any(one.blurred for one in surveys)
    others = {
        colour for one in surveys for colour in one.mains if not any(same(colour, its, blurred) for its in said.colours)
    }
    if mixed and said.colours and not others:
        raise UserError(f"--crack-colour {shown(said.colours[0])}: the masks have no other colour.")
    return Meaning(said, mixed, blurred, tuple(sorted(others)))


def same(one: Colour, other: Colour, blurred: bool) -> bool:
    """Whether two colours are one; by JPEG none is exact."""
    return int(np.abs(np.subtract(one, other)).max()) <= (SAME_BLURRED if blurred else 0)


def refuse_unclear(surveys: Sequence[Survey]) -> None:
    """Masks that are not understood are a ``UserError`` of the first, with how many there are and what all hold."""
    bad = [one for one in surveys if one.refusal]
    if not bad:
        return
    more = f" {len(bad) - 1} more masks are like it; all masks hold {told(surveys)}." if len(bad) > 1 else ""
    raise UserError(f"{bad[0].path}: {bad[0].refusal}{more}")


def told(surveys: Sequence[Survey], most: int = 8) -> str:
    """The colours that masks hold, and how many masks hold each."""
    counts = Counter(colour for one in surveys for colour in one.mains)
    order = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:most]
    named = [f"{shown(colour)} ({count} mask{'s' if count > 1 else ''})" for colour, count in order]
    return ", ".join(named) + (f" and {len(counts) - most} more" if len(counts) > most else "") or "none that is clear"


def refuse_unlike(surveys: Sequence[Survey]) -> None:
    """Masks of two values each whose crack is not the same grey value number classes: a ``UserError``.

    Where some have antialiased edges, all bright values are one.
    """
    greys = {one.path: one.crack[0] for one in surveys if one.crack and len(set(one.crack)) == 1}
    soft = any(one.crack is None and not one.refusal and (one.mixed or len(one.counts or ()) > 2) for one in surveys)
    counts = Counter(greys.values())
    if (soft and min(counts, default=255) > 127) or (not soft and len(counts) < 2):
        return
    named = ", ".join(f"{value} in {count}" for value, count in sorted(counts.items()))
    rare = min(counts, key=lambda value: (counts[value], value))
    example = next(path for path, value in greys.items() if value == rare)
    raise UserError(
        f"The masks do not agree on what is crack{' (some have soft edges)' if soft else ''}: of two values the higher "
        f"is {named}, such as {example}. Are they numbers of classes? src.prepare has --crack-colour N for the value "
        "that is crack, and --crack-above 0 for all but 0."
    )


def common_crack(surveys: Sequence[Survey]) -> Colour | None:
    """What is crack in all masks of two values; None if there are none, or they differ."""
    found = {one.crack for one in surveys if one.crack}
    return found.pop() if len(found) == 1 else None
