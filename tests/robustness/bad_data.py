"""Bad photographs, masks, folders, drawings and options of those who prepare data."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.io import savemat

from tests.robustness.bad_files import photographs
from tests.robustness.bad_home import Case, Home, first
from tests.robustness.bad_words import PREPARING

KINDS = ("images", "masks")
SIDE = 32
SQUARE = [2, 2, 2, 9, 9, 9, 9, 2]
ENDLESS, NONE = float("inf"), float("nan")


def of_photographs() -> Iterator[Case]:
    """A broken file where a photograph, and where a mask is expected."""
    for kind in KINDS:
        for name, (suffix, content) in photographs().items():
            spoil = partial(give_file, kind, suffix, content)
            yield Case(f"broken {kind}", name, f"/train/{kind}", "run.py", spoil)


def give_file(kind: str, suffix: str, content: bytes, home: Home) -> list[str]:
    some = first(home.data / "train" / kind)
    some.unlink()
    some.with_suffix(suffix).write_bytes(content)
    return home.words()


def of_folders() -> Iterator[Case]:
    """Folders of data in which something is not what or where it should be."""
    for kind in KINDS:
        for name, way in WAYS.items():
            yield Case("folders", f"{kind}: {name}", "/train/", "run.py", partial(go, way, kind))
    yield Case("folders", "a pair of one pixel", "/train/", "run.py", shrink)
    yield Case("folders", "no mask has crack", "hold no crack pixel", "run.py", blacken)
    yield Case("folders", "a photograph as a mask", "/train/masks", "run.py", mistake)
    yield Case("folders", "no validation split", "No such folder", "run.py", lose_split)


def go(way: Callable[[Path], None], kind: str, home: Home) -> list[str]:
    way(first(home.data / "train" / kind))
    return home.words()


def pipe(some: Path) -> None:
    some.unlink()
    os.mkfifo(some)


def folder(some: Path) -> None:
    some.unlink()
    some.mkdir()


def link(to: str, some: Path) -> None:
    some.unlink()
    some.symlink_to(to.format(some=some))


def outside(some: Path) -> None:
    beside = some.parents[3] / "private.png"
    some.rename(beside)
    some.symlink_to(beside)


def twin(some: Path) -> None:
    some.with_suffix(".bmp").write_bytes(some.read_bytes())


def sized(width: int, height: int, some: Path) -> None:
    Image.new("RGB" if some.parent.name == "images" else "L", (width, height)).save(some)


WAYS: dict[str, Callable[[Path], None]] = {
    "missing": Path.unlink,
    "a pipe": pipe,
    "a folder": folder,
    "a link to nowhere": partial(link, "nowhere.png"),
    "a link to itself": partial(link, "{some}"),
    "a link to an endless device": partial(link, "/dev/zero"),
    "a link out of the data": outside,
    "a link to the passwords": partial(link, "/etc/passwd"),
    "two of one name": twin,
    "larger than its partner": partial(sized, SIDE + 1, SIDE),
    "lying where its partner stands": partial(sized, SIDE // 2, SIDE * 2),
    "of one pixel": partial(sized, 1, 1),
}


def shrink(home: Home) -> list[str]:
    for kind in KINDS:
        sized(1, 1, first(home.data / "train" / kind))
    return home.words()


def blacken(home: Home) -> list[str]:
    for path in (home.data / "train" / "masks").iterdir():
        sized(SIDE, SIDE, path)
    return home.words()


def mistake(home: Home) -> list[str]:
    some = first(home.data / "train" / "masks")
    some.write_bytes((home.data / "train" / "images" / some.name).read_bytes())
    return home.words()


def lose_split(home: Home) -> list[str]:
    (home.data / "val").rename(home.data / "dev")
    return home.words()


def coco(**changes: Any) -> dict[str, Any]:
    """COCO's JSON of one photograph, with changes to its image, its annotation and the whole."""
    image = {"id": 7, "file_name": "a.png", "width": 32, "height": 32} | changes.pop("image", {})
    drawn = {"id": 5, "image_id": 7, "category_id": 1, "segmentation": [SQUARE]} | changes.pop("drawn", {})
    return {"images": [image], "annotations": [drawn], "categories": [{"id": 1, "name": "crack"}]} | changes


DRAWN: dict[str, tuple[dict[str, Any], str]] = {
    "a photograph of another folder": (coco(image={"file_name": "../../data/val/images/00001.png"}), "00001.png"),
    "an absolute path": (coco(image={"file_name": "/etc/passwd"}), "passwd"),
    "a photograph that is not there": (coco(image={"file_name": "b.png"}), "b.png"),
    "a width of a million million": (coco(image={"width": 10**12, "height": 10**12}), "a.png"),
    "a size that is not the photograph's": (coco(image={"width": 64}), "a.png"),
    "a negative size": (coco(image={"width": -32}), "drawn.json"),
    "an endless size": (coco(image={"width": ENDLESS}), "drawn.json"),
    "a point at infinity": (coco(drawn={"segmentation": [[ENDLESS, 2, 2, 9, 9, 9]]}), "drawn.json"),
    "a point that is none": (coco(drawn={"segmentation": [[NONE, 2, 2, 9, 9, 9]]}), "drawn.json"),
    "a point a million miles away": (coco(drawn={"segmentation": [[1e300, 2, 2, 9, 9, 9]]}), "drawn.json"),
    "half a point": (coco(drawn={"segmentation": [[1, 2, 3]]}), "drawn.json"),
    "points that are words": (coco(drawn={"segmentation": [["a", "b"]]}), "drawn.json"),
    "run lengths": (coco(drawn={"segmentation": {"counts": "abc", "size": [32, 32]}}), "drawn.json"),
    "run lengths of another size": (coco(drawn={"segmentation": {"counts": [9, 9], "size": [3, 6]}}), "drawn.json"),
    "a photograph of no image": (coco(drawn={"image_id": 8}), "drawn.json"),
    "images that are a number": (coco(images=3), "drawn.json"),
}
MATLAB: dict[str, Mapping[str, Any] | bytes] = {
    "empty": b"",
    "text": b"MATLAB 5.0 MAT-file" + b" " * 200,
    "of another struct": {"x": np.ones((SIDE, SIDE))},
    "of unknown labels": {"groundTruth": {"Segmentation": np.full((SIDE, SIDE), 9)}},
    "of another size": {"groundTruth": {"Segmentation": np.full((4, 4), 2)}},
    "of words": {"groundTruth": {"Segmentation": "crack"}},
}


def good_ones() -> Iterator[Case]:
    """What is not to be refused."""
    yield Case("good", "polygons", "", "src.prepare", partial(give_polygons, json.dumps(coco())))
    labels = {"groundTruth": {"Segmentation": np.eye(SIDE) + 1}}
    yield Case("good", "a Matlab file", "", "src.prepare", partial(give_matlab, labels))
    yield Case("good", "options of src.prepare", "", "src.prepare", partial(ask, "--find-groups"))


def of_sources() -> Iterator[Case]:
    """What ``src.prepare`` may be given."""
    for name, (about, named) in DRAWN.items():
        yield Case("polygons", name, named, "src.prepare", partial(give_polygons, json.dumps(about)))
    for name, content in {"100000 brackets": "[" * 100_000, "half": json.dumps(coco())[:50], "nothing": ""}.items():
        yield Case("polygons", name, "drawn.json", "src.prepare", partial(give_polygons, content))
    for name, content in MATLAB.items():
        yield Case("Matlab files", name, "001", "src.prepare", partial(give_matlab, content))
    for words, named in PREPARING.items():
        yield Case("options of src.prepare", words or "a file in two groups", named, "src.prepare", partial(ask, words))


def give_polygons(content: str, home: Home) -> list[str]:
    images = home.root / "source" / "images"
    images.mkdir(parents=True)
    first(home.data / "train" / "images").rename(images / "a.png")
    (images / "drawn.json").write_text(content)
    return prepared(home, images.parent)


def give_matlab(content: Mapping[str, Any] | bytes, home: Home) -> list[str]:
    source = home.root / "source"
    for kind in ("image", "groundTruth"):
        (source / kind).mkdir(parents=True)
    Image.new("RGB", (SIDE, SIDE)).save(source / "image" / "001.jpg")
    path = source / "groundTruth" / "001.mat"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        savemat(path, dict(content))
    return prepared(home, source)


def ask(words: str, home: Home) -> list[str]:
    source = home.data / "train"
    if not words:
        (source / "groups.csv").write_text("file,group\n00000,1\n00000,2\n")
    return [str(source), "--out", str(home.root / "prepared"), *words.format(root=home.root).split()]


def prepared(home: Home, source: Path) -> list[str]:
    return [str(source), "--out", str(home.root / "prepared"), "--split", "1", "0", "0"]
