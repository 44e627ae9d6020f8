"""Finds how many bits 16-bit photographs use: cameras of 10, 12 and 14 bits write 16-bit files.

It is one number for a whole data set. If each photograph's brightest pixel decided, dark ones would be brightened.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from src.cores import available_cores
from src.data.files import bits_needed, is_16_bit, open_image, values_16_bit
from src.errors import UserError


def brightest(path: Path) -> int | None:
    """The highest value of a 16-bit photograph; None for 8 bits, and for unreadable files, which are reported later."""
    try:
        with open_image(path) as image:
            return int(values_16_bit(path, image).max(initial=0)) if is_16_bit(image) else None
    except UserError:
        return None


def used_bits(paths: Iterable[Path], top_of: Callable[[Path], int | None] = brightest) -> int | None:
    """The bits that the brightest 16-bit photograph needs, one of ``files.BIT_DEPTHS``; None without such ones."""
    with ThreadPoolExecutor(available_cores()) as pool:
        tops = [top for top in pool.map(top_of, paths) if top is not None]
    return bits_needed(max(tops)) if tops else None


def choose_bits(paths: Sequence[Path], asked: int | None, top_of: Callable[[Path], int | None] = brightest) -> int:
    """``data.bits``; if that is null, 16, and photographs that use fewer of their 16 bits are a ``UserError``.

    ``top_of``: the highest value of a photograph, if that is not all of ``brightest``.
    """
    if asked is not None:
        return asked
    found = used_bits(paths, top_of)
    if found is not None and found < 16:
        raise UserError(
            f"The 16-bit photographs in {paths[0].parent} use {found} bits at most and would be almost black: set "
            f"data.bits={found}, or data.bits=16 if others of this data set are brighter."
        )
    return 16
