"""Pixels and millimetres."""

from dataclasses import dataclass
from math import isfinite

from src.errors import UserError

LARGEST = 1e6
"""Millimetres of a pixel: a kilometre."""


@dataclass(frozen=True)
class Units:
    """The scale of the photographs, if it is known: the side of a pixel on the pavement in millimetres."""

    mm_per_pixel: float | None = None

    def __post_init__(self) -> None:
        scale = self.mm_per_pixel
        if scale is not None and not (isfinite(scale) and 0 < scale <= LARGEST):
            what = f"above 0 and at most {LARGEST:g}, the side of a pixel on the pavement in mm"
            raise UserError(f"--mm-per-pixel={scale}: must be {what}.")

    def mm(self, pixels: float) -> float:
        """Millimetres of a length. It needs the scale."""
        assert self.mm_per_pixel is not None
        return pixels * self.mm_per_pixel

    def lengths(self, name: str, pixels: float | None) -> dict[str, float | None]:
        """``{name}_px`` and, where the scale is known, ``{name}_mm``; None stays None."""
        found = {f"{name}_px": rounded(pixels)}
        if self.mm_per_pixel is not None:
            found[f"{name}_mm"] = None if pixels is None else rounded(self.mm(pixels))
        return found

    def areas(self, name: str, pixels: float) -> dict[str, float | None]:
        """``{name}_px`` and, where the scale is known, ``{name}_mm2``."""
        found = {f"{name}_px": rounded(pixels)}
        if self.mm_per_pixel is not None:
            found[f"{name}_mm2"] = rounded(self.mm(self.mm(pixels)))
        return found

    def length_text(self, pixels: float) -> str:
        """A length of cracks for people: ``812 px``, ``7.4 mm``, ``74 mm`` or ``1.24 m``."""
        if self.mm_per_pixel is None:
            return f"{pixels:,.0f} px"
        mm = self.mm(pixels)
        if mm < 1000:
            return f"{mm:.0f} mm" if mm >= 10 else f"{mm:.1f} mm"
        return f"{mm / 1000:,.2f} m"

    def width_text(self, pixels: float) -> str:
        """A width of cracks for people: ``4.1 px`` or ``0.35 mm``."""
        if self.mm_per_pixel is None:
            return f"{pixels:.1f} px"
        mm = self.mm(pixels)
        return f"{mm:.2f} mm" if mm < 1 else f"{mm:.1f} mm"


def rounded(value: float | None) -> float | None:
    """Three decimals: more are noise of the pixels' grid."""
    return None if value is None else round(float(value), 3)
