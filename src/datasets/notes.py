"""Notes for the user about a prepared data set: what was not read, and what may not be as intended."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from src.cores import available_cores
from src.data.files import count_more_pages, is_turned_invisibly
from src.data.mask_colours import Colour, colour_text
from src.data.masks import MaskInfo, UserRule, describe_colours

FULL = 0.5
"""Share of crack from which a mask may be inverted."""


def first_five(items: Sequence[str]) -> str:
    """Up to five items as text, and the number of further ones."""
    return ", ".join(items[:5]) + (f" and {len(items) - 5} more" if len(items) > 5 else "")


def mask_notes(infos: Sequence[MaskInfo], user_rule: UserRule, shares: Mapping[Path, float]) -> Iterator[str]:
    """Notes about masks that are pictures. ``shares``: share of crack in each, 0..1."""
    jpegs = [one for one in infos if one.blurred]
    if jpegs and not user_rule:
        yield f"{len(jpegs)} masks are JPEG, whose edges are blurred: pixels brighter than 127 count as crack."
    cracks = {one.crack for one in infos if one.crack}
    if len(cracks) > 1:
        named = ", ".join(f"{colour_text(crack)} in {count_of(infos, crack)}" for crack in sorted(cracks))
        yield f"Crack is drawn in several colours: {named} masks. If only one is crack, use --crack-colour R,G,B."
    without = [one for one in infos if user_rule.colours and shares.get(one.path) == 0]
    if without:
        yield (
            f"{len(without)} of {len(infos)} masks hold no {' or '.join(map(colour_text, user_rule.colours))} and so "
            f"no crack: {first_five([one.path.name for one in without])}. They hold {describe_colours(without)}."
        )
    full = [path.name for path, share in shares.items() if share >= FULL]
    if full:
        yield f"{len(full)} masks are at least half crack, {first_five(full)}: are they inverted?"


def count_of(infos: Sequence[MaskInfo], crack: Colour) -> int:
    return sum(one.crack == crack for one in infos)


def photograph_notes(photographs: Collection[Path], masks: Sequence[Path], bits: int | None) -> Iterator[str]:
    """Notes about the photographs, and about files with more than one picture."""
    if unclear := [path.name for path in photographs if is_turned_invisibly(path)]:
        yield (
            f"{len(unclear)} photographs are turned by EXIF without a change of their size, "
            f"{first_five(unclear)}: their masks are taken as drawn on the turned image. Check the contact sheet."
        )
    if bits is not None and bits < 16:
        yield f"The 16-bit photographs use {bits} bits: pass data.bits={bits} to every command that reads them."
    with ThreadPoolExecutor(available_cores()) as pool:
        files = [*photographs, *masks]
        counts = list(zip(files, pool.map(count_more_pages, files), strict=True))
    if more := [f"{path.name} ({count} more)" for path, count in counts if count]:
        yield f"{len(more)} files hold several pictures, of which only the first is read: {first_five(more)}."
