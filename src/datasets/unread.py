"""Recognises formats of drawings that are not supported, to tell the user what to do instead."""

from collections.abc import Callable, Sequence
from pathlib import Path

from src.data.files import IMAGE_SUFFIXES
from src.datasets.drawings import read_json
from src.folders import refuse_irregular

HEAD = 4096
"""Bytes of a file that are inspected."""


def is_supervisely(path: Path, head: str) -> bool:
    """Named as ``ann/a.jpg.json``: the photograph's whole name and .json."""
    return path.suffix.lower() == ".json" and Path(path.stem).suffix.lower() in IMAGE_SUFFIXES


def is_via(path: Path, head: str) -> bool:
    """A VIA project, its annotations alone, or its table."""
    if path.suffix.lower() == ".csv":
        return "region_shape_attributes" in head
    return path.suffix.lower() == ".json" and ("_via_" in head or ('"regions"' in head and '"filename"' in head))


def is_cvat(path: Path, head: str) -> bool:
    return path.suffix.lower() == ".xml" and "<annotations" in head


def is_voc(path: Path, head: str) -> bool:
    return path.suffix.lower() == ".xml" and "<annotation>" in head


def is_label_studio(path: Path, head: str) -> bool:
    return path.suffix.lower() == ".json" and head.lstrip().startswith("[") and '"annotations"' in head


UNREADABLE_FORMATS: dict[str, Callable[[Path, str], bool]] = {
    "Supervisely's": is_supervisely,
    "VIA's": is_via,
    "CVAT's XML": is_cvat,
    "Pascal VOC's XML, which has boxes": is_voc,
    "Label Studio's own": is_label_studio,
}


def refusal(files: Sequence[Path]) -> str:
    """The sentence about the first file in an unsupported format; empty if there is none.

    A .json file that is not JSON is a ``UserError``.
    """
    for path in files:
        if path.suffix.lower() not in (".json", ".xml", ".csv"):
            continue
        refuse_irregular(path)
        with path.open(encoding="utf-8-sig", errors="replace") as stream:
            head = stream.read(HEAD)
        if names := [name for name, is_it in UNREADABLE_FORMATS.items() if is_it(path, head)]:
            return f"{path} is in {names[0]} format, which is not supported: export it as COCO, or as masks."
        if path.suffix.lower() == ".json":
            read_json(path)
    return ""
