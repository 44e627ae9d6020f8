"""Decides which pixels of a data set's masks are crack: one rule for all masks.

A single mask is not enough: which values are classes shows only in all masks together, and a mask may be without crack.
So all masks are inspected (``inspect_mask``) before any is read.

| the user gives | crack is |
|---|---|
| nothing | what ``src.data.mask_values`` decides, if it is the same value in all masks of two values |
| a colour, and no mask has blurred edges | exactly this colour |
| a colour, and some masks have blurred edges | what is nearer to it than to the other colours of the data set |
| a value (``above``) | what is brighter |
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from src.data.files import UInt8Array
from src.data.mask_colours import (
    Colour,
    brightness,
    colour_text,
    count_colours,
    main_colours,
    nearest_to,
    pixels_of_colour,
)
from src.data.mask_files import Stored, read_stored
from src.data.mask_values import interpret, is_label_map
from src.errors import UserError

SAME_BLURRED = 48
"""Colours of JPEGs that differ by no more in any channel count as the same."""


@dataclass(frozen=True)
class UserRule:
    """What the user calls crack: these colours, or what is brighter. Empty: it is decided from the masks."""

    colours: tuple[Colour, ...] = ()
    above: int | None = None

    def __bool__(self) -> bool:
        return bool(self.colours) or self.above is not None

    @property
    def greys(self) -> tuple[int, ...]:
        """The colours that are grey values; empty where there is no colour."""
        return tuple(one[0] for one in self.colours if len(set(one)) == 1)


class MaskInfo(NamedTuple):
    """The facts about one mask from which the rule of the data set is chosen."""

    path: Path
    counts: dict[Colour, int] | None
    """Pixels of each colour; None if there are many colours, as of blurred edges or many classes."""
    mixed: bool
    """Whether edges have colours of their own."""
    mains: tuple[Colour, ...]
    """The colours that are not edges."""
    blurred: bool
    """Whether it is a JPEG, which blurs edges."""
    crack: Colour | None
    """The one of two values or colours that is crack. None: there is no crack, or everything bright is crack."""
    refusal: str
    """Why the mask cannot be understood by itself; empty if it can."""


@dataclass(frozen=True)
class MaskRule:
    """The rule by which all masks of a data set are read."""

    user_rule: UserRule = UserRule()
    mixed: bool = False
    """Whether edges have colours of their own."""
    blurred: bool = False
    others: tuple[Colour, ...] = ()
    """The colours of the data set that are not crack, if edges have colours of their own."""
    crack: Colour | None = None
    """The crack's colour in masks of two values, if the user gives no rule."""

    def read(self, path: Path) -> UInt8Array:
        """Crack mask, (H, W) uint8 in {0, 1}. A file that cannot be read or understood is a ``UserError``."""
        stored = read_stored(path)
        try:
            return self.crack_of(stored)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None

    def crack_of(self, stored: Stored) -> UInt8Array:
        """(H, W) in {0, 1} of a file's content; one that is unclear is a ``UserError``."""
        stored = stored.shown(self.user_rule.greys)
        if self.user_rule.above is not None:
            return (brightness(stored.values) > self.user_rule.above).astype(np.uint8)
        if not self.user_rule.colours:
            return interpret(stored)[0]
        found = np.zeros(stored.values.shape[:2], np.uint8)
        for colour in self.user_rule.colours:
            if self.mixed:
                found |= nearest_to(stored.values, colour, self.others, self.blurred)
            else:
                found |= pixels_of_colour(stored.values, colour)
        return found


def read_mask(path: Path, crack: Colour | None = None) -> UInt8Array:
    """One mask by itself, (H, W) uint8 in {0, 1}. A file that cannot be read or understood is a ``UserError``."""
    user_rule = UserRule() if crack is None else UserRule((crack,))
    return choose_mask_rule([inspect_mask(path, user_rule)] if user_rule else [], user_rule).read(path)


def inspect_mask(path: Path, user_rule: UserRule) -> MaskInfo:
    """Collect the facts about one mask. An unreadable file is a ``UserError``; an unclear one has a ``refusal``."""
    stored, crack, refusal = read_stored(path), None, ""
    try:
        stored = stored.shown(user_rule.greys)
    except UserError as error:
        refusal = str(error)
    counts = count_colours(stored.values)
    if stored.blurred and len(counts or ()) > 2:
        counts = None  # even a few more are edges
    mains = main_colours(stored.values, stored.blurred) if counts is None and user_rule else counts or ()
    if not user_rule and not refusal:
        try:
            _, crack = interpret(stored)
        except UserError as error:
            refusal = str(error)
    mixed = counts is None and not (user_rule and is_label_map(stored))
    return MaskInfo(path, counts, mixed, tuple(mains), stored.blurred, crack, refusal)


def choose_mask_rule(infos: Sequence[MaskInfo], user_rule: UserRule) -> MaskRule:
    """Choose the rule for the masks of a data set. Masks that are unclear without ``user_rule`` are a ``UserError``."""
    if not user_rule:
        refuse_unclear(infos)
        refuse_inconsistent(infos)
        return MaskRule(crack=common_crack(infos))
    mixed = any(one.mixed for one in infos)
    blurred = any(one.blurred for one in infos)
    others = {
        colour
        for one in infos
        for colour in one.mains
        if not any(is_same_colour(colour, its, blurred) for its in user_rule.colours)
    }
    if mixed and user_rule.colours and not others:
        raise UserError(f"--crack-colour {colour_text(user_rule.colours[0])}: the masks have no other colour.")
    return MaskRule(user_rule, mixed, blurred, tuple(sorted(others)))


def is_same_colour(one: Colour, other: Colour, blurred: bool) -> bool:
    """Whether two colours count as the same; those of a JPEG are not exact."""
    return int(np.abs(np.subtract(one, other)).max()) <= (SAME_BLURRED if blurred else 0)


def refuse_unclear(infos: Sequence[MaskInfo]) -> None:
    """A ``UserError`` if some masks are unclear: it describes the first, their number, and the colours of all masks."""
    bad = [one for one in infos if one.refusal]
    if not bad:
        return
    more = f" {len(bad) - 1} more are like it. The masks hold {describe_colours(infos)}." if len(bad) > 1 else ""
    raise UserError(f"{bad[0].path}: {bad[0].refusal}{more}")


def describe_colours(infos: Sequence[MaskInfo], most: int = 8) -> str:
    """The colours that the masks hold, as text, with the number of masks that hold each."""
    counts = Counter(colour for one in infos for colour in one.mains)
    order = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:most]
    named = [f"{colour_text(colour)} ({count} mask{'s' if count > 1 else ''})" for colour, count in order]
    return ", ".join(named) + (f" and {len(counts) - most} more" if len(counts) > most else "") or "no clear colours"


def refuse_inconsistent(infos: Sequence[MaskInfo]) -> None:
    """A ``UserError`` if masks of two values have different values for crack: these are numbers of classes.

    If some masks have antialiased edges, all bright values count as the same.
    """
    greys = {one.path: one.crack[0] for one in infos if one.crack and len(set(one.crack)) == 1}
    soft = any(one.crack is None and not one.refusal and (one.mixed or len(one.counts or ()) > 2) for one in infos)
    counts = Counter(greys.values())
    if (soft and min(counts, default=255) > 127) or (not soft and len(counts) < 2):
        return
    named = ", ".join(f"{value} in {count}" for value, count in sorted(counts.items()))
    rare = min(counts, key=lambda value: (counts[value], value))
    example = next(path for path, value in greys.items() if value == rare)
    raise UserError(
        f"The masks do not agree on the value of crack{' (some have soft edges)' if soft else ''}: the higher of two "
        f"values is {named}, such as {example}. Are they numbers of classes? Say with --crack-colour N (of "
        "src.prepare, src.measure and src.label) which value is crack, or with --crack-above 0 that it is all but 0."
    )


def common_crack(infos: Sequence[MaskInfo]) -> Colour | None:
    """The value of crack in all masks of two values; None if there are no such masks, or they differ."""
    found = {one.crack for one in infos if one.crack}
    return found.pop() if len(found) == 1 else None
