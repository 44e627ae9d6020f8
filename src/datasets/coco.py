"""COCO's JSON: polygons and run-length encodings of many photographs in one file.

A photograph may be described several times, by several entries or files (one an annotator, or a class): all that was
drawn on it counts.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from src.data.files import list_images
from src.datasets.drawings import DAMAGE, Drawing, ShapeRules, read_json, told
from src.datasets.layouts import IMAGE_FOLDERS, is_a, is_word, split_in, split_of_path
from src.datasets.names import Exclusion
from src.datasets.photographs import Found, Source
from src.datasets.run_lengths import lengths_of
from src.errors import UserError
from src.folders import refuse_irregular, visible_files

Value = TypeVar("Value")


def is_coco(path: Path) -> bool:
    """Whether a file is COCO's; most other JSON is known without being parsed."""
    if path.suffix.lower() != ".json":
        return False
    refuse_irregular(path)
    content = path.read_bytes()
    if b'"images"' not in content or b'"annotations"' not in content:
        return False
    return {"images", "annotations"} <= read_json(path).keys()


def read_coco(path: Path, rules: ShapeRules) -> list[tuple[str, Drawing]]:
    """Each entry's file name, and what was drawn on it, if anything. What COCO does not allow is a ``UserError``."""
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
        raise UserError(f"{path} is not as COCO has it: {told(error)}.") from error


def by_id(entries: Sequence[dict[str, Any]], value: str) -> dict[str, str]:
    """Id to a value of that entry; one id with two values is a ``ValueError``."""
    found: dict[str, str] = {}
    for one in entries:
        key, said = str(one["id"]), str(one[value])
        if found.setdefault(key, said) != said:
            raise ValueError(f"the id {key} is that of {found[key]} and of {said}")
    return found


def entry(entries: Mapping[str, Value], one: dict[str, Any], key: str) -> Value:
    """What an annotation names by an id."""
    if (said := str(one[key])) not in entries:
        raise ValueError(f"annotation {one.get('id')} has the {key} {said}, which no entry has")
    return entries[said]


def add_annotation(one: dict[str, Any], drawing: Drawing) -> None:
    drawn = one.get("segmentation")
    if not drawn:
        raise ValueError(
            f"annotation {one.get('id')} is a box without a polygon: draw or export it as one, or choose other "
            "labels by --label"
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
        raise ValueError(f"a polygon of {len(flat)} numbers: x and y of each corner make an even number")
    return list(zip((float(x) for x in flat[::2]), (float(y) for y in flat[1::2]), strict=True))


def read_files(root: Path, files: Sequence[Path], exclusion: Exclusion, rules: ShapeRules) -> Found:
    """All photographs that COCO's files describe, with what was drawn on them.

    Photographs that lie in one folder with them, and that no file describes, have no mask. A photograph that could be
    another one too, or that lies in two splits, is a ``UserError``.
    """
    found = Found()
    atlas = Atlas(root)
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
        found.bare += ((path, split_of_path(path, root)) for path in others)
    return found


def one_split(image: Path, before: str, split: str) -> str:
    if before and split and before != split:
        raise UserError(f"{image} is in two splits, {before} and {split}: take it out of one of them.")
    return before or split


def split_of_json(path: Path, root: Path) -> str:
    return split_of_path(path, root) or split_in(path.stem)


def parts_of(name: str) -> list[str]:
    """Folders and file, of a path as Windows or others write it."""
    parts = re.split(r"[\\/]+", unicodedata.normalize("NFC", name))
    return [part for part in parts if part not in ("", ".", "..")] or [name]


class Atlas:
    """Where the photographs below a folder lie."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.by_name: dict[str, list[Path]] = defaultdict(list)
        self.folders: set[Path] = set()
        for path in visible_files(root):
            if is_a(path):
                self.by_name[unicodedata.normalize("NFC", path.name)].append(path)
                self.folders.update(path.parents)

    def find(self, name: str, json: Path, split: str) -> Path | None:
        """The photograph that a file names, or None. Several that it could be are a ``UserError``.

        It lies in the nearest folder around the file that has photographs, and not in another split's. Exporters write
        paths of the machine where it was drawn: what counts is how many folders agree, from the last one.
        """
        parts = parts_of(name)
        scope = next((folder for folder in json.parents if folder in self.folders), self.root)
        ways = [path for path in self.by_name.get(parts[-1], ()) if scope in path.parents]
        ways = [path for path in ways if not split or split_of_path(path, self.root) in ("", split)]
        ranks = [self.rank(path, parts, scope) for path in ways]
        best = [path for path, rank in zip(ways, ranks, strict=True) if rank == max(ranks)]
        if len(best) > 1:
            raise UserError(f"{json}: {name} could be {best[0]} or {best[1]}: take one of them away, or rename it.")
        return best[0] if best else None

    @staticmethod
    def rank(path: Path, parts: Sequence[str], scope: Path) -> tuple[int, bool, bool]:
        """The larger, the better a photograph fits."""
        agreed = 0
        for mine, theirs in zip(reversed(path.parts), reversed(parts), strict=False):
            if mine != theirs:
                break
            agreed += 1
        return agreed, path.parent == scope, is_word(path.parent, IMAGE_FOLDERS)
