"""Masks that are read window by window: georeferenced ones, and those that are too large for memory."""

from typing import TYPE_CHECKING

import numpy as np

from src.data.files import UInt8Array
from src.data.mask_colours import colour_text
from src.data.masks import UserRule
from src.errors import UserError
from src.maps.raster import Band, Seen, Window

if TYPE_CHECKING:  # an extra
    from rasterio.io import DatasetReader


class MaskFile:
    """A mask (H, W) in {0, 1}. Without a rule of the user, crack is all that is not 0, which must be one value.

    What its file calls nodata is not crack; if that is 0, it is the pavement.
    """

    def __init__(self, dataset: "DatasetReader", user_rule: UserRule) -> None:
        self.band = Band(dataset)
        self.shape = self.band.shape
        self.seen = Seen() if dataset.nodata == 0 else Seen(dataset)
        self.user_rule = user_rule
        self.greys = [one[0] for one in user_rule.colours if len(set(one)) == 1]
        self.crack: int | None = None
        if user_rule.colours and not self.greys:
            raise UserError(
                f"--crack-colour {colour_text(user_rule.colours[0])}: {dataset.name} has grey values; give one number."
            )

    def __getitem__(self, window: Window) -> UInt8Array:
        found = self.band[window]
        if self.user_rule.above is not None:
            is_crack = found > self.user_rule.above
        elif self.greys:
            is_crack = np.isin(found, self.greys)
        else:
            is_crack = found > 0
        if self.seen:
            is_crack &= self.seen[window].view(bool)
        if not self.user_rule:
            self._refuse_values(found[is_crack])
        return is_crack.view(np.uint8)

    def _refuse_values(self, found: UInt8Array) -> None:
        """A ``UserError`` unless crack has one value."""
        self.crack = self.crack or int(found.max(initial=0)) or None
        if (found != self.crack).any():
            raise UserError(
                f"{self.band.dataset.name} is not a mask: it has more than two values; choose with --crack-colour N or "
                "--crack-above N."
            )
