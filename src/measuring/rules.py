"""Looks at all masks of a measurement before any is read: what is crack in them, and where they are on a map."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from src.cores import available_cores
from src.data.masks import MaskInfo, MaskRule, UserRule, choose_mask_rule, inspect_mask
from src.errors import UserError
from src.maps.georeference import Georeference, position_is_lost
from src.maps.header import has_rasterio, read_header
from src.maps.raster import open_dataset


@dataclass(frozen=True)
class Look:
    """What is known of a mask before it is read."""

    path: Path
    in_windows: bool = False
    place: Georeference | None = None
    info: MaskInfo | None = None
    """Of one that is not read in windows."""
    error: UserError | None = None
    """Why it cannot be read."""
    note: str = ""


class Rules:
    """How the masks of a measurement are read. One that is damaged is no reason not to measure the others."""

    def __init__(self, paths: Sequence[Path], user_rule: UserRule) -> None:
        """Masks that are unclear without a rule of the user are a ``UserError``."""
        with ThreadPoolExecutor(available_cores()) as pool:  # decoding releases the interpreter's lock
            looks = list(pool.map(lambda path: look_at(path, user_rule), paths))
        for look in looks:
            if look.note:
                print(f"{look.path}: {look.note}")
        self.user_rule = user_rule
        self.unreadable = {look.path: look.error for look in looks if look.error}
        self.in_windows = {look.path for look in looks if look.in_windows}
        self.places = {look.path: look.place for look in looks if look.place}
        infos = [look.info for look in looks if look.info]
        self.rule = choose_mask_rule(infos, user_rule) if infos else MaskRule()


def look_at(path: Path, user_rule: UserRule) -> Look:
    try:
        header = read_header(path)
        if header.is_large or (header.has_position and has_rasterio()):
            with open_dataset(path) as dataset:
                place = Georeference.of(dataset)
            if header.is_large or place is not None:
                return Look(path, in_windows=True, place=place)
        note = position_is_lost(path.name) if header.has_position else ""
        return Look(path, info=inspect_mask(path, user_rule), note=note)
    except UserError as error:
        return Look(path, error=error)
