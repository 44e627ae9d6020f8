"""Adds photographs to the training split of a data folder, whose own splits stay as they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from os.path import commonpath
from pathlib import Path

from src.data.pairs import manifest_groups
from src.datasets.groups import by_pixels
from src.datasets.notes import first_five
from src.datasets.photographs import Source
from src.datasets.sources import find_sources
from src.errors import UserError


@dataclass(frozen=True)
class Added:
    """A data folder with further photographs."""

    root: Path
    """The folder above both."""
    sources: Mapping[str, Source]
    splits: Mapping[str, str]
    groups: Mapping[str, str]
    notes: tuple[str, ...]


def add_to(folder: Path, new: Mapping[str, Source], groups: Mapping[str, str], root: Path, find: bool) -> Added:
    """Put the photographs ``new`` of ``root``, with their groups, into the training split of ``folder``.

    Without their masks, photographs that are in the folder already would be in it twice: names that repeat are a
    ``UserError``. With ``find``, new photographs that show a place of its validation or test split are left out; so are
    those of one group with them.
    """
    first, _ = find_sources(folder)  # what is to be noted about it was noted when it was made
    notes = list[str]()
    if without := [name for name, one in first.items() if not one.split]:
        raise UserError(f"--add-to={folder}: {without[0]} is in no split; this must be a data folder of src.prepare.")
    if twice := sorted(set(first) & set(new)):
        raise UserError(
            f"--add-to={folder} has {first_five(twice)} already: leave the old ones out of it, or the new ones with "
            "--exclude."
        )
    known = manifest_groups(folder)
    own = {name: known.get(f"{one.split}/{one.image.stem}", name) for name, one in first.items()}
    taken = set(own.values())
    together = own | {name: f"new-{group}" if group in taken else group for name, group in groups.items()}
    sources = {**first, **new}
    splits = {name: one.split for name, one in first.items()} | dict.fromkeys(new, "train")
    if find:
        together = by_pixels(sources, together)
        held = {together[name] for name in first if splits[name] != "train"}
        left = sorted(name for name in new if together[name] in held)
        for name in left:
            del sources[name], splits[name], together[name]
        if left:
            what = f"{len(left)} new photographs show places of validation or test and are left out"
            notes.append(f"{what}: {first_five(left)}.")
        if len(left) == len(new):
            raise UserError(f"All new photographs show places of the validation or test split of {folder}.")
    common = Path(commonpath([folder.resolve(), root.resolve()]))
    return Added(common, sources, splits, together, tuple(notes))
