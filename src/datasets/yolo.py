"""Reads YOLO's text files: one line per polygon, with its class number and x and y as shares of the photograph's size.

``data.yaml`` beside them names the classes, and may name the folders of the splits.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from src.config.safe_yaml import read_yaml
from src.config.schema import SPLITS
from src.datasets.drawings import DAMAGE, Drawing, ShapeRules
from src.errors import UserError
from src.folders import refuse_irregular

SLACK = 0.01
"""Share of the photograph's size by which corners may be outside. They are moved to its edge, as by YOLO's tools."""
BOX = 5
"""Numbers on a line that describes a box."""


def is_yolo(path: Path) -> bool:
    """Whether a text file is empty or begins with a line of numbers, unlike lists of classes and readmes."""
    refuse_irregular(path)
    try:
        words = path.read_text(encoding="utf-8-sig").strip().partition("\n")[0].split()
        return (len(words) >= BOX or not words) and all(isinstance(float(word), float) for word in words)
    except ValueError:
        return False


def read_yolo(path: Path, size: tuple[int, int], names: Mapping[int, str], rules: ShapeRules) -> Drawing:
    """Read the drawing of a photograph of ``size`` (height, width). Boxes and damaged lines are a ``UserError``."""
    height, width = size
    drawing = Drawing(path, width, height)
    try:
        for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
            if words := line.split():
                add_line(drawing, words, names, rules, f"line {number}")
    except DAMAGE as error:
        raise UserError(f"{path} is not a valid YOLO file: {error}.") from error
    return drawing


def add_line(drawing: Drawing, words: list[str], names: Mapping[int, str], rules: ShapeRules, where: str) -> None:
    number = int(words[0])
    if names and number not in names:
        raise ValueError(f"{where} has class {number}, but the classes are {', '.join(map(str, sorted(names)))}")
    label = names.get(number, str(number))
    drawing.labels.add(label)
    if not rules.counts(label):
        return
    if len(words) == BOX:
        raise ValueError(
            f"{where} is a box: export it as a polygon (instance segmentation), or choose other labels with --label"
        )
    shares = [float(word) for word in words[1:]]
    if len(shares) < 6 or len(shares) % 2:
        raise ValueError(f"{where} has {len(shares)} numbers after its class; a polygon has an even number, at least 6")
    if not all(-SLACK <= share <= 1 + SLACK for share in shares):
        raise ValueError(f"{where} has a number outside 0 to 1: coordinates must be shares of the photograph's size")
    inside = [min(max(share, 0.0), 1.0) for share in shares]
    drawing.add_polygon(
        [(x * drawing.width, y * drawing.height) for x, y in zip(inside[::2], inside[1::2], strict=True)]
    )


def data_file(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """The YAML file of a folder that has ``names``, usually ``data.yaml``. Several are a ``UserError``."""
    found: list[tuple[Path, dict[str, Any]]] = []
    for path in sorted((*folder.glob("*.yaml"), *folder.glob("*.yml"))):
        try:
            about = read_yaml(path)
        except UserError:
            if path.stem == "data":
                raise
            continue  # a file of another program
        if isinstance(about, dict) and "names" in about:
            found.append((path, cast(dict[str, Any], about)))
    if len(found) > 1:
        raise UserError(f"{found[0][0]} and {found[1][0]} both name classes: remove one of them.")
    return found[0] if found else None


def class_names(folder: Path, root: Path) -> dict[int, str]:
    """Class number to name, by the YAML file in the folder or in the nearest one above it, up to ``root``."""
    for place in (folder, *folder.parents):
        if found := data_file(place):
            path, about = found
            return names_of(path, about["names"])
        if place == root:
            break
    return {}


def names_of(path: Path, names: Any) -> dict[int, str]:
    try:
        pairs = list(names.items() if isinstance(names, dict) else enumerate(cast(list[Any], names)))
        found = {int(number): str(name) for number, name in pairs}
    except DAMAGE as error:
        raise UserError(
            f"{path}: 'names' must be a list of names, or a mapping of numbers to names: {error}."
        ) from error
    if len(found) < len(pairs):
        raise UserError(f"{path}: 'names' contains a number twice: correct it.")
    return found


def split_folders(folder: Path) -> list[tuple[str, Path, Path]]:
    """Split, folder of images and folder of labels, as the YAML file in a folder names them; empty if it names none.

    One folder for two splits, and a list of files instead of a folder, are a ``UserError``.
    """
    found = data_file(folder)
    if not found:
        return []
    path, about = found
    splits: dict[Path, str] = {}
    for split in SPLITS:
        value = about.get(split)
        for word in cast(list[Any], value) if isinstance(value, list) else [value] if value else []:
            images = resolved(str(word), folder, path, str(about.get("path") or "."))
            if images and splits.setdefault(images, split) != split:
                raise UserError(f"{path}: {images} is listed as {splits[images]} and as {split}: remove one.")
    return [(split, images, labels_of(images, folder)) for images, split in splits.items()]


def resolved(word: str, folder: Path, path: Path, base: str) -> Path | None:
    """The folder that a value of ``train``, ``val`` or ``test`` means, relative to the file's ``path`` or to the file.

    Roboflow writes ``../train/images`` for ``train/images``, and YOLO accepts that. None if the folder does not exist
    or is not below ``folder``.
    """
    for start in (folder / base, folder):
        for value in (word, word.removeprefix("../")):
            way = Path(os.path.normpath(start / value))
            if way.is_file():
                raise UserError(
                    f"{path}: {word} is a list of files, which is not supported: put the photographs of each split "
                    "into a folder of its own, such as images/train."
                )
            if way.is_dir() and folder in way.parents:
                return way
    return None


def labels_of(images: Path, folder: Path) -> Path:
    """The folder of labels by YOLO's rule: the last ``images`` in the path becomes ``labels``; else the same folder."""
    parts = list(images.relative_to(folder).parts)
    if "images" in parts:
        parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
    labels = folder.joinpath(*parts)
    return labels if labels.is_dir() else images
