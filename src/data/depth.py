"""How many bits of 16-bit photographs are used: cameras of 10, 12 and 14 bits write 16-bit files.

It is one number for a data set: a photograph whose own brightest pixel decided would be as bright as any other.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from src.cores import available_cores
from src.data.files import deep_values, depth_of, is_deep, opened
from src.errors import UserError


def brightest(path: Path) -> int | None:
    """The highest value of a 16-bit photograph; None for one of 8 bits, or that cannot be read (its reader says so)."""
    try:
        with opened(path) as image:
            return int(deep_values(path, image).max(initial=0)) if is_deep(image) else None
    except UserError:
        return None


def used_bits(paths: Iterable[Path]) -> int | None:
    """One of ``files.DEPTHS``: what the brightest of the 16-bit photographs needs. None if none has 16 bits."""
    with ThreadPoolExecutor(available_cores()) as pool:
        tops = [top for top in pool.map(brightest, paths) if top is not None]
    return depth_of(max(tops)) if tops else None


def choose_bits(paths: Sequence[Path], asked: int | None) -> int:
    """``data.bits``; if it is null, 16, and photographs that use fewer of their 16 bits are a ``UserError``."""
    if asked is not None:
        return asked
    found = used_bits(paths)
    if found is not None and found < 16:
        raise UserError(
            f"The 16-bit photographs in {paths[0].parent} use {found} bits at most, and would be almost black: say "
            f"data.bits={found}; or data.bits=16, if others of this data set are brighter."
        )
    return 16
