"""Reads COCO's JSON: polygons and run-length encodings of many photographs in one file.

A photograph may be described by several entries or files, such as one per annotator or per class. All of its drawings
count.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from src.data.files import list_images
from src.datasets.drawings import DAMAGE, Drawing, ShapeRules, describe_damage, read_json
from src.datasets.layouts import IMAGE_FOLDERS, has_suffix, is_named, split_in, split_of_path
from src.datasets.names import Exclusion
from src.datasets.photographs import FoundFiles, Source
from src.datasets.run_lengths import lengths_of
from src.errors import UserError
from src.folders import refuse_irregular, visible_files

Value = TypeVar("Value")


def is_coco(path: Path) -> bool:
    """Whether a file is COCO's. Most other JSON is recognised without parsing it."""
    if path.suffix.lower() != ".json":
        return False
    refuse_irregular(path)
    content = path.read_bytes()
    if b'"images"' not in content or b'"annotations"' not in content:
        return False
    return {"images", "annotations"} <= read_json(path).keys()


def read_coco(path: Path, rules: ShapeRules) -> list[tuple[str, Drawing]]:
    """Each entry's file name and drawing, which may be empty. A file that is not valid COCO is a ``UserError``."""
    about = read_json(path)
    try:
        names = by_id(about.get("categories", []), "name")
        files = by_id(about["images"], "file_name")
        found: dict[str, Drawing] = {}
        for one in about["images"]:
            key, drawing = str(one["id"]), Drawing(path, int(one["width"]), int(one["height"]))
            found[key] = found[key].joined(drawing) if key in found else drawing
        for one in about["annotations"]:
            drawing = entry(found, one, "image_id")
            label = entry(names, one, "category_id") if rules.labels else names.get(str(one.get("category_id")), "")
            drawing.labels |= {label} - {""}
            if rules.counts(label):
                add_annotation(one, drawing)
        return [(files[key], drawing) for key, drawing in found.items()]
    except DAMAGE as error:
        raise UserError(f"{path} is not a valid COCO file: {describe_damage(error)}.") from error


def by_id(entries: Sequence[dict[str, Any]], value: str) -> dict[str, str]:
    """Map the id of each entry to one of its values; an id with two values is a ``ValueError``."""
    found: dict[str, str] = {}
    for one in entries:
        key, content = str(one["id"]), str(one[value])
        if found.setdefault(key, content) != content:
            raise ValueError(f"the id {key} belongs to {found[key]} and to {content}")
    return found


def entry(entries: Mapping[str, Value], one: dict[str, Any], key: str) -> Value:
    """The entry to which an annotation refers by an id."""
    if (identity := str(one[key])) not in entries:
        raise ValueError(f"annotation {one.get('id')} has the {key} {identity}, which no entry has")
    return entries[identity]


def add_annotation(one: dict[str, Any], drawing: Drawing) -> None:
    drawn = one.get("segmentation")
    if not drawn:
        raise ValueError(
            f"annotation {one.get('id')} is a box without a polygon: export it as a polygon, or choose other "
            "labels with --label"
        )
    if isinstance(drawn, list):
        for flat in drawn:
            drawing.add_polygon(points_of(flat))
    else:
        height, width = (int(side) for side in drawn["size"])
        drawing.add_runs(lengths_of(drawn["counts"]), height, width)


def points_of(flat: Sequence[float]) -> list[tuple[float, float]]:
    """x, y, x, y, ... as points."""
    if len(flat) % 2:
        raise ValueError(f"a polygon has {len(flat)} numbers; x and y of its corners must be an even number")
    return list(zip((float(x) for x in flat[::2]), (float(y) for y in flat[1::2]), strict=True))


def read_files(root: Path, files: Sequence[Path], exclusion: Exclusion, rules: ShapeRules) -> FoundFiles:
    """All photographs that the COCO files describe, with their drawings.

    Photographs in the same folders that no file describes have no mask. An ambiguous name and a photograph in two
    splits are a ``UserError``.
    """
    found = FoundFiles()
    atlas = PhotographIndex(root)
    drawn: dict[Path, Drawing] = {}
    splits: dict[Path, str] = {}
    several = len({split_of_json(path, root) for path in files}) > 1
    for path in files:
        split = split_of_json(path, root) if several else ""
        for name, drawing in read_coco(path, rules):
            if (image := atlas.find(name, path, split)) is None:
                found.missing.append(f"{name} (named in {path.name})")
            elif not exclusion.has(image):
                drawn[image] = drawn[image].joined(drawing) if image in drawn else drawing
                splits[image] = one_split(image, splits.get(image, ""), split_of_path(image, root) or split)
    found.sources += (Source(image, drawing, splits[image]) for image, drawing in drawn.items())
    for folder in {image.parent for image in drawn}:
        others = [path for path in list_images(folder) if path not in drawn and not exclusion.has(path)]
        found.unmasked += ((path, split_of_path(path, root)) for path in others)
    return found


def one_split(image: Path, before: str, split: str) -> str:
    if before and split and before != split:
        raise UserError(f"{image} is in two splits, {before} and {split}: remove it from one of them.")
    return before or split


def split_of_json(path: Path, root: Path) -> str:
    return split_of_path(path, root) or split_in(path.stem)


def parts_of(name: str) -> list[str]:
    """The folders and the file name of a Windows or POSIX path."""
    parts = re.split(r"[\\/]+", unicodedata.normalize("NFC", name))
    return [part for part in parts if part not in ("", ".", "..")] or [name]


class PhotographIndex:
    """An index of the photographs below a folder, by name."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.by_name: dict[str, list[Path]] = defaultdict(list)
        self.folders: set[Path] = set()
        for path in visible_files(root):
            if has_suffix(path):
                self.by_name[unicodedata.normalize("NFC", path.name)].append(path)
                self.folders.update(path.parents)

    def find(self, name: str, json: Path, split: str) -> Path | None:
        """The photograph that a COCO file means by a name, or None. Several candidates are a ``UserError``.

        It is searched in the nearest folder above the file that has photographs, and not in another split. Exporters
        write paths of other machines, so the candidate with the most matching folders, counted from the last, is used.
        """
        parts = parts_of(name)
        scope = next((folder for folder in json.parents if folder in self.folders), self.root)
        ways = [path for path in self.by_name.get(parts[-1], ()) if scope in path.parents]
        ways = [path for path in ways if not split or split_of_path(path, self.root) in ("", split)]
        ranks = [self.rank(path, parts, scope) for path in ways]
        best = [path for path, rank in zip(ways, ranks, strict=True) if rank == max(ranks)]
        if len(best) > 1:
            raise UserError(f"{json}: {name} could be {best[0]} or {best[1]}: remove or rename one of them.")
        return best[0] if best else None

    @staticmethod
    def rank(path: Path, parts: Sequence[str], scope: Path) -> tuple[int, bool, bool]:
        """How well a photograph fits a name; larger is better."""
        agreed = 0
        for mine, theirs in zip(reversed(path.parts), reversed(parts), strict=False):
            if mine != theirs:
                break
            agreed += 1
        return agreed, path.parent == scope, is_named(path.parent, IMAGE_FOLDERS)
