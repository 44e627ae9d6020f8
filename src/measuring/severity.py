"""Severity bands of cracks by their width: the examples in ``src/measuring/severity/``, or a user's own file."""

from itertools import pairwise
from pathlib import Path
from typing import Literal

from pydantic import ValidationError, model_validator

from src.config.compose import sentences_of
from src.config.safe_yaml import read_yaml
from src.config.schema import Positive, Section
from src.errors import UserError, unknown
from src.measuring.cracks import Crack
from src.measuring.units import Units

FOLDER = Path(__file__).with_suffix("")


class Band(Section):
    name: str
    up_to: Positive | None = None
    """The largest width of the band; only the last band has none."""


class Severity(Section):
    """Bands from the least severe to the most severe."""

    source: str
    """The standard or publication that the limits come from."""
    unit: Literal["mm", "px"]
    width: Literal["mean", "max"]
    bands: tuple[Band, ...]

    @model_validator(mode="after")
    def in_order(self) -> "Severity":
        limits = [band.up_to for band in self.bands]
        names = {band.name.replace(" ", "_") for band in self.bands}  # as in the columns of tables
        ends = [limit for limit in limits if limit is not None]
        if not self.bands or limits[-1] is not None or len(ends) < len(limits) - 1:
            raise ValueError("each band but the last must have up_to, and the last one none")
        if any(one >= other for one, other in pairwise(ends)) or len(names) < len(self.bands):
            raise ValueError("the bands must have different names, and up_to must grow from one to the next")
        return self

    @property
    def names(self) -> list[str]:
        return [band.name for band in self.bands]

    def rank(self, crack: Crack, units: Units) -> int:
        """The index of the band of a crack. A width on the limit of two bands is in the lower one."""
        pixels = crack.width_mean if self.width == "mean" else crack.width_max
        width = pixels if self.unit == "px" else units.mm(pixels)
        return next(index for index, band in enumerate(self.bands) if band.up_to is None or width <= band.up_to)


def load_severity(name: str) -> Severity:
    """The bands of an example, or of a YAML file. A ``UserError`` for a name or a content that is none."""
    examples = {path.stem: path for path in FOLDER.glob("*.yaml")}
    path = examples.get(name, Path(name))
    if not path.is_file():
        raise unknown("severity bands", name, [*examples, "a YAML file"])
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: must be a mapping with source, unit, width and bands.")
    try:
        return Severity.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{path}: {sentences_of(error, content)}.") from error
