"""Looks at all masks before any is read: what is crack in them, and where they are on a map."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from src.cores import available_cores
from src.data.mask_colours import colour_text
from src.data.masks import (
    MaskInfo,
    MaskRule,
    UserRule,
    choose_mask_rule,
    describe_colours,
    inspect_mask,
    is_same_colour,
)
from src.errors import UserError
from src.maps import raster
from src.maps.georeference import Georeference, position_is_lost
from src.maps.header import read_header
from src.maps.raster import open_dataset


@dataclass(frozen=True)
class Look:
    """What is known of a mask before it is read."""

    path: Path
    place: Georeference | None = None
    info: MaskInfo | None = None
    """None for one that is too large for memory."""
    error: UserError | None = None
    """Why it cannot be read."""
    note: str = ""


class Rules:
    """How masks are read. One that is damaged is no reason not to read the others."""

    def __init__(self, paths: Sequence[Path], user_rule: UserRule) -> None:
        """Masks that are unclear without a rule of the user are a ``UserError``."""
        with ThreadPoolExecutor(available_cores()) as pool:  # decoding releases the interpreter's lock
            looks = list(pool.map(lambda path: look_at(path, user_rule), paths))
        self.unreadable = {look.path: look.error for look in looks if look.error}
        self.places = {look.path: look.place for look in looks if look.place}
        infos = [look.info for look in looks if look.info]
        self.rule = choose_mask_rule(infos, user_rule) if infos or not user_rule else MaskRule(user_rule)
        notes = [f"{look.path}: {look.note}" for look in looks if look.note]
        for note in [*notes, *is_absent(infos, user_rule)]:
            print(note)


def look_at(path: Path, user_rule: UserRule) -> Look:
    try:
        header = read_header(path)
        if header.is_large:
            with open_dataset(path) as dataset:
                return Look(path, Georeference.of(dataset))
        place = raster.look_at(path, header).place
        note = position_is_lost(path.name) if header.has_position and place is None else ""
        return Look(path, place, inspect_mask(path, user_rule), note=note)
    except UserError as error:
        return Look(path, error=error)


def is_absent(infos: Sequence[MaskInfo], user_rule: UserRule) -> list[str]:
    """A note if none of the masks holds what the user calls crack."""
    blurred = any(info.blurred for info in infos)
    found = {colour for info in infos for colour in (info.counts or info.mains)}
    if not found or not user_rule.colours:
        return []
    if any(is_same_colour(one, its, blurred) for one in found for its in user_rule.colours):
        return []
    wanted = " or ".join(map(colour_text, user_rule.colours))
    return [f"Note: none of the masks has {wanted}; they hold {describe_colours(infos)}."]
