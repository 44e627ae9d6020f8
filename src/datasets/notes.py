"""What to know of a data set that was prepared: what was not read, and what may be other than it was meant."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from src.cores import available_cores
from src.data.files import is_turned_unseen, more_pages
from src.data.mask_colours import Colour, shown
from src.data.masks import Said, Survey, told

FULL = 0.5
"""Share of crack from which a mask may be inverted."""


def first_five(items: Sequence[str]) -> str:
    """Up to five items as words, and how many more there are."""
    return ", ".join(items[:5]) + (f" and {len(items) - 5} more" if len(items) > 5 else "")


def mask_notes(surveys: Sequence[Survey], said: Said, shares: Mapping[Path, float]) -> Iterator[str]:
    """Of the masks that are pictures. ``shares``: of crack, 0..1."""
    jpegs = [one for one in surveys if one.blurred]
    if jpegs and not said:
        yield f"{len(jpegs)} masks are JPEG, whose edges are blurred: crack is what is brighter than 127."
    cracks = {one.crack for one in surveys if one.crack}
    if len(cracks) > 1:
        named = ", ".join(f"{shown(crack)} in {count_of(surveys, crack)}" for crack in sorted(cracks))
        yield f"Crack is drawn in several colours: {named} masks. If only one is crack: --crack-colour R,G,B."
    without = [one for one in surveys if said.colours and shares.get(one.path) == 0]
    if without:
        yield (
            f"{len(without)} of {len(surveys)} masks hold no {' or '.join(map(shown, said.colours))} and are without "
            f"crack: {first_five([one.path.name for one in without])}. They hold {told(without)}."
        )
    full = [path.name for path, share in shares.items() if share >= FULL]
    if full:
        yield f"{len(full)} masks are crack by half or more, {first_five(full)}: are they inverted?"


def count_of(surveys: Sequence[Survey], crack: Colour) -> int:
    return sum(one.crack == crack for one in surveys)


def photograph_notes(photographs: Collection[Path], masks: Sequence[Path], bits: int | None) -> Iterator[str]:
    """Of the photographs, and of files with more than one picture."""
    if unclear := [path.name for path in photographs if is_turned_unseen(path)]:
        yield (
            f"{len(unclear)} photographs are turned by EXIF in a way that their size does not show, "
            f"{first_five(unclear)}: masks are taken as drawn on what a viewer shows. Look at the contact sheet."
        )
    if bits is not None and bits < 16:
        yield f"The photographs of 16 bits use {bits} of them: say data.bits={bits} to every command that reads them."
    with ThreadPoolExecutor(available_cores()) as pool:
        files = [*photographs, *masks]
        counts = list(zip(files, pool.map(more_pages, files), strict=True))
    if more := [f"{path.name} ({count} more)" for path, count in counts if count]:
        yield f"{len(more)} files hold several pictures, of which the first is read: {first_five(more)}."
