"""Public sets of cracks by name: where their files are, what belongs together, and what is wrong in them."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

from src.config.safe_yaml import read_yaml
from src.config.schema import Section
from src.datasets.layouts import SplitFolders
from src.errors import UserError, unknown

FILE = Path(__file__).with_name("public_sets.yaml")


class Place(Section):
    """A folder of photographs and a folder of masks, in the folder of the set; they may be the same."""

    split: Literal["", "train", "val", "test"] = ""
    images: str
    masks: str


class PublicSet(Section):
    """A set as it is published, and the options of ``src.prepare`` with which it is read rightly."""

    title: str
    where: str
    terms: str
    images: str
    checked: Literal["files", "description"]
    """Whether the layout was read from the published files, or from a description of them."""
    places: tuple[Place, ...]
    group_pattern: str | None = None
    find_groups: bool = False
    resplit: bool = False
    allow_unpaired: bool = False
    exclude: tuple[str, ...] = ()
    note: str = ""

    def folders(self, root: Path) -> list[SplitFolders]:
        """The places below ``root``, which may be the set's folder, the one above it, or the last one on their way."""
        for base in bases(root):
            for depth in range(max(len(Path(one.images).parts) for one in self.places)):
                found = [
                    SplitFolders(one.split, below(base, one.images, depth), below(base, one.masks, depth))
                    for one in self.places
                ]
                if all(one.images.is_dir() and one.masks.is_dir() for one in found):
                    return found
        wanted = dict.fromkeys(folder for one in self.places for folder in (one.images, one.masks))
        raise UserError(
            f"{root} is not {self.title}: it must have the folders {', '.join(wanted)}. Get it: {self.where}"
        )


def bases(root: Path) -> list[Path]:
    """A folder, and its folders: an archive often has one folder around all."""
    return [root, *sorted(path for path in root.iterdir() if path.is_dir())] if root.is_dir() else []


def below(base: Path, folder: str, skipped: int) -> Path:
    """A folder of a place, of which the first ``skipped`` parts are already behind ``base``."""
    parts = Path(folder).parts
    path = base.joinpath(*parts[min(skipped, len(parts) - 1) :])
    nested = path / path.name  # Crack500's archives have traincrop/traincrop
    return nested if nested.is_dir() else path


@cache
def public_sets() -> dict[str, PublicSet]:
    """All sets by name."""
    return {name: PublicSet.model_validate(content) for name, content in read_yaml(FILE).items()}


def find_public_set(name: str) -> PublicSet:
    """A set by its name; another name is a ``UserError``."""
    sets = public_sets()
    if name not in sets:
        raise unknown("public set", name, sets)
    return sets[name]


def names() -> Sequence[str]:
    return list(public_sets())
