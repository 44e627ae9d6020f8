"""Bad photographs to predict, and bad masks to measure and to correct."""

import io
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import rasterio
from rasterio.transform import Affine

from tests.robustness.bad_files import photographs, picture
from tests.robustness.bad_home import Case, Home, first

SIDE = 64
MASKS = ("src.measure", "src.label")
WORDS: dict[str, dict[str, str]] = {
    "src.measure": {
        "--mm-per-pixel 0": "--mm-per-pixel",
        "--mm-per-pixel -1": "--mm-per-pixel",
        "--mm-per-pixel nan": "--mm-per-pixel",
        "--mm-per-pixel wide": "--mm-per-pixel",
        "--severity steep": "steep",
        "--severity ltpp": "--mm-per-pixel",
        "--min-length -1": "--min-length",
        "--geojson": "--geojson",
        "--photographs nowhere": "nowhere",
        "nowhere.png": "nowhere.png",
    },
    "src.label": {
        "--tolerance -1": "--tolerance",
        "--tolerance nan": "--tolerance",
        "--least-sure 0": "--least-sure",
        "--least-sure 3": "--least-sure",
        "--format yolo": "--format",
        "--photographs nowhere": "nowhere",
        "nowhere.png": "nowhere.png",
    },
    "src.predict": {
        "--smallest -1": "--smallest",
        "--smallest 3 --clean": "--smallest",
        "--device tpu": "--device",
        "--threshold nan": "--threshold",
        "nowhere.png": "nowhere.png",
    },
}
"""Words after good ones, and what the sentence must name."""


def good_ones() -> Iterator[Case]:
    """What is not to be refused."""
    for program in MASKS:
        yield Case("good", f"masks, for {program}", "", program, partial(ask, program, ""))
    for program in ("src.measure", "src.predict"):
        yield Case("good", f"a GeoTIFF, for {program}", "", program, partial(give, program, ".tif", geotiff(program)))


def of_photographs_to_predict() -> Iterator[Case]:
    """A broken file, alone, where a photograph is to be predicted."""
    broken = photographs() | geotiffs("src.predict")
    del broken["a PNG with a wrong checksum"]  # which no decoder notices
    for name, (suffix, content) in broken.items():
        spoil = partial(give, "src.predict", suffix, content)
        yield Case("to predict", name, f"given{suffix}", "src.predict", spoil)


def of_masks() -> Iterator[Case]:
    """A broken file, or a photograph, where a mask is expected."""
    for program in MASKS:
        broken = photographs() | geotiffs(program)
        del broken["a TIFF of floating point"]  # fractions of 0 to 1 are a mask
        broken["a photograph"] = (".jpg", picture("JPEG"))
        for name, (suffix, content) in broken.items():
            spoil = partial(give, program, suffix, content)
            yield Case(f"masks for {program}", name, f"given{suffix}", program, spoil)


def of_words() -> Iterator[Case]:
    """Options of measuring, labelling and predicting, and names of public sets."""
    for program, words in WORDS.items():
        for word, named in words.items():
            yield Case(f"words of {program}", word, named, program, partial(ask, program, word))
    for name, named in {"deepcracks": "deepcracks", "deepcrack": "train_img", "": "public set"}.items():
        yield Case("public sets", name or "nothing", named, "src.prepare", partial(like, name))


def ask(program: str, words: str, home: Home) -> list[str]:
    """Good masks or photographs, and words."""
    split = home.data / "test"
    more = words.replace("nowhere", str(home.root / "nowhere")).split()
    if program == "src.predict":
        return [str(home.network), str(split / "images"), *more, "--out", str(home.root / "predictions")]
    out = str(home.root / ("measures" if program == "src.measure" else "labels"))
    return [str(split), *more, "--out", out]


def give(program: str, suffix: str, content: bytes, home: Home) -> list[str]:
    """This file."""
    path = home.root / f"given{suffix}"
    path.write_bytes(content)
    if program == "src.predict":
        words = ["--threshold", "0.4", "device=cpu", f"data.root={home.data}"]
        return [str(home.network), str(path), *words, "--out", str(home.root / "predictions")]
    photographs = ["--photographs", str(first(home.data / "test" / "images").parent)]
    out = str(home.root / ("measures" if program == "src.measure" else "labels"))
    return [str(path), "--out", out, *(photographs if program == "src.label" else [])]


def like(name: str, home: Home) -> list[str]:
    return [str(home.data), "--like", name, "--out", str(home.root / "prepared")]


def geotiffs(program: str) -> dict[str, tuple[str, bytes]]:
    """Bad files with a georeference."""
    whole = geotiff(program)
    found = {f"{share:.0%} of a GeoTIFF": (".tif", whole[: int(len(whole) * share)]) for share in (0.5, 0.9)}
    if program == "src.predict":
        found["a GeoTIFF of floating point"] = (".tif", geotiff(program, "float32"))
    else:
        found["a GeoTIFF of a photograph"] = (".tif", geotiff("src.predict"))
    return found


def geotiff(program: str, kind: str = "uint8") -> bytes:
    """A photograph, or a mask, with a georeference."""
    bands = 3 if program == "src.predict" else 1
    values = np.random.default_rng(0).integers(0, 256, (bands, SIDE, SIDE)).astype(kind)
    if bands == 1:
        values[:] = 0
        values[:, 20:23, 5:60] = 255
    stream = io.BytesIO()
    options: dict[str, Any] = {"dtype": kind, "count": bands, "width": SIDE, "height": SIDE, "crs": "EPSG:32632"}
    options["transform"] = Affine.translation(691000, 5335000) @ Affine.scale(0.01, -0.01)
    with rasterio.open(stream, "w", driver="GTiff", **options) as file:
        file.write(values)
    return stream.getvalue()
