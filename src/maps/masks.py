"""Opens masks: into memory, or, where they are too large for it, as a file of which windows are read."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from src.data.files import Mask, UInt8Array, Windows
from src.data.mask_colours import colour_text
from src.data.mask_files import nodata_may_be_crack, read_stored
from src.data.masks import MaskRule, UserRule
from src.errors import UserError
from src.maps.georeference import Georeference
from src.maps.header import read_header
from src.maps.raster import Band, Seen, Window, look_at, open_dataset

if TYPE_CHECKING:  # an extra
    from rasterio.io import DatasetReader


@dataclass(frozen=True)
class OpenMask:
    values: Mask
    """(H, W) in {0, 1}: an array, or a ``MaskFile``."""
    seen: Windows | None
    """(H, W) 0 where its file says that there is nothing, else 1; None: nowhere."""
    place: Georeference | None
    """Its map."""


@contextmanager
def open_mask(path: Path, rule: MaskRule) -> Generator[OpenMask]:
    """One that cannot be read or understood is a ``UserError``."""
    header = read_header(path)
    if header.is_large:
        with open_dataset(path) as dataset:
            mask = MaskFile(dataset, rule.user_rule)
            yield OpenMask(mask, mask.seen or None, Georeference.of(dataset))
        return
    about, own = look_at(path, header), None
    drawn = "alpha" in about.flags and not header.has_position  # the crack, on transparent pavement
    if about.flags and "nodata" not in about.flags and not drawn:  # of a mask, nodata may be the pavement
        with open_dataset(path) as dataset:
            own = Seen(dataset)[:]
    stored = read_stored(path)
    try:
        values, hidden = rule.crack_of(stored), stored.hidden(rule.user_rule.greys)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    if own is not None and own.shape != values.shape:  # turned by its tag
        own = None
    if own is not None:
        values &= own
    parts = [one for one in (own, None if hidden is None else 1 - hidden.view(np.uint8)) if one is not None]
    yield OpenMask(values, AllSeen(parts) if parts else None, about.place)


class AllSeen:
    """Where all of some maps are 1."""

    def __init__(self, parts: Sequence[Windows]) -> None:
        self.parts = parts

    def __getitem__(self, window: Window) -> UInt8Array:
        return np.bitwise_and.reduce([part[window] for part in self.parts])


class ShownMask:
    """A mask without what lies outside of its photograph."""

    def __init__(self, mask: Mask, seen: Windows) -> None:
        self.mask, self.seen, self.shape = mask, seen, mask.shape

    def __getitem__(self, window: Window) -> UInt8Array:
        return self.mask[window] & self.seen[window]


class MaskFile:
    """A large mask (H, W) in {0, 1}. Without a rule of the user, crack is all that is not 0, which must be one value.

    What its file calls nodata is not crack; if that is 0, it is the pavement. A mask in memory is understood by more
    rules, which need all of it (``src.data.mask_values``).
    """

    def __init__(self, dataset: "DatasetReader", user_rule: UserRule) -> None:
        self.band = Band(dataset)
        self.shape = self.band.shape
        self.name = dataset.name
        self.nodata = None if dataset.nodata in (0, *user_rule.greys) else dataset.nodata
        self.seen = Seen(dataset) if dataset.nodata is None or self.nodata is not None else None
        self.user_rule = user_rule
        self.crack: int | None = None
        self.met_nodata = False
        if user_rule.colours and not user_rule.greys:
            raise UserError(
                f"--crack-colour {colour_text(user_rule.colours[0])}: {self.name} has grey values; give one number."
            )

    def __getitem__(self, window: Window) -> UInt8Array:
        found: npt.NDArray[Any] = self.band[window]
        if self.user_rule.above is not None:
            is_crack = found > self.user_rule.above
        else:
            is_crack = np.isin(found, self.user_rule.greys) if self.user_rule.greys else found > 0
        if self.seen:
            is_crack &= self.seen[window].view(bool)
            self.met_nodata |= bool(self.nodata is not None and (found == self.nodata).any())
        if not self.user_rule:
            self._refuse_values(found[is_crack])
        return is_crack.view(np.uint8)

    def _refuse_values(self, found: UInt8Array) -> None:
        """A ``UserError`` unless crack has one value."""
        self.crack = self.crack or int(found.max(initial=0)) or None
        if (found != self.crack).any():
            raise UserError(
                f"{self.name} is not a mask: it has more than two values; choose with --crack-colour N or "
                "--crack-above N."
            )

    def refuse_unclear(self) -> None:
        """When all of it has been read: a ``UserError`` if nodata may be its crack, as in ``Stored.hidden``."""
        if self.met_nodata and self.crack is None and not self.user_rule:
            raise UserError(f"{self.name}: {nodata_may_be_crack(int(self.nodata or 0))}")
