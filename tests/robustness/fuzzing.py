"""Damaged files for the readers: ``python -m tests.robustness.fuzzing [--minutes M] [--seed S]``.

Good files of every kind that is read are damaged at random (bytes changed, cut out, doubled, exchanged with others of
another file, numbers made large) and given to their readers. Each must return what it promises or raise a
``UserError``. Anything else is a crash, and so is the death of the process, more than ``LONGEST_SECONDS``, or more than
``LARGEST_MIB``; the file is kept. The exit code is 1 if there was one.
"""

import argparse
import base64
import io
import json
import multiprocessing
import random
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from scipy.io import savemat

from src.config.safe_yaml import read_yaml
from src.data.files import count_more_pages, read_image, upright_size
from src.data.masks import read_mask
from src.datasets.coco import read_coco
from src.datasets.crackforest import read_labels
from src.datasets.drawings import ShapeRules
from src.datasets.labelme import read_labelme
from src.datasets.yolo import read_yolo
from src.errors import EXIT_FAILED, UserError, run_command
from src.models.checkpoint import load_checkpoint
from tests.robustness.bad_data import coco
from tests.robustness.bad_files import picture, saved

LONGEST_SECONDS = 10.0
LARGEST_MIB = 1500
"""That a reader may add to what the process has: a header may honestly say 134 million pixels."""
BURST = 500
"""Files that one process tries."""


def read_picture(path: Path) -> None:
    count_more_pages(path)
    image = read_image(path)
    assert (image.dtype, image.ndim, image.shape[2]) == (np.uint8, 3, 3)
    assert image.shape[:2] == upright_size(path)


def read_drawn(path: Path) -> None:
    mask = read_mask(path)
    assert (mask.dtype, mask.ndim) == (np.uint8, 2)
    assert mask.max(initial=0) <= 1


def deep_colours(suffix: str) -> bytes:
    """A picture of 16 bits a channel."""
    values = np.random.default_rng(0).integers(0, 4096, (16, 24, 3)).astype(np.uint16)
    return cv2.imencode(suffix, values)[1].tobytes()


def read_all_of_coco(path: Path) -> None:
    for _, drawing in read_coco(path, ShapeRules()):
        drawing.mask()


def brushed() -> str:
    """A mask of labelme's: a PNG in base64."""
    stream = io.BytesIO()
    Image.fromarray(np.ones((3, 2), np.uint8)).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def seeds() -> list[tuple[str, bytes, Callable[[Path], Any]]]:
    """Suffix, good bytes and reader of everything that is read."""
    pictures = [
        *((".jpg", picture("JPEG", mode, progressive=way)) for mode in ("RGB", "L", "CMYK") for way in (False, True)),
        *((".png", picture("PNG", mode)) for mode in ("RGB", "L", "RGBA", "P", "1", "I;16", "LA")),
        *((".tif", picture("TIFF", compression=way)) for way in (None, "tiff_lzw", "tiff_deflate", "jpeg")),
        (".tif", picture("TIFF", "I;16")),
        *((suffix, deep_colours(suffix)) for suffix in (".png", ".tif")),
        (".tif", picture("TIFF", save_all=True, append_images=[Image.new("RGB", (9, 9))])),
        *((".bmp", picture("BMP", mode)) for mode in ("RGB", "P")),
        *((".webp", picture("WEBP", "RGBA", lossless=way)) for way in (True, False)),
    ]
    matlab = io.BytesIO()
    savemat(matlab, {"groundTruth": {"Segmentation": np.eye(32) + 1}}, do_compression=True)
    crack = {"label": "crack", "points": [[1, 2], [3, 4], [5, 6]]}
    box = {"label": "crack", "shape_type": "mask", "points": [[1, 1], [2, 3]], "mask": brushed()}
    shapes = {"imageWidth": 9, "imageHeight": 9, "shapes": [crack, crack | {"shape_type": "linestrip"}, box]}
    runs = {"size": [32, 32], "counts": "PP1"}
    return [
        *((suffix, content, read) for suffix, content in pictures for read in (read_picture, read_drawn)),
        *((".tif", picture("TIFF", mode), read_drawn) for mode in ("I", "F")),
        (".mat", matlab.getvalue(), read_labels),
        (".json", json.dumps(coco()).encode(), read_all_of_coco),
        (".json", json.dumps(coco(drawn={"segmentation": runs})).encode(), read_all_of_coco),
        (".json", json.dumps(shapes).encode(), lambda path: read_labelme(path, ShapeRules((), 3)).mask()),
        (
            ".txt",
            b"0 0.1 0.1 0.5 0.1 0.5 0.14\n1 0 0 1 0 1 1\n",
            lambda path: read_yolo(path, (9, 9), {}, ShapeRules()).mask(),
        ),
        (".yaml", b"- training.epochs=3\n- 'seed=1'\n- !!str data.root=x\n", read_yaml),
        (".pth", saved({"format": 2, "model": {"a": torch.ones(9)}, "overrides": ["seed=1"]}), load_checkpoint),
    ]


WAYS: tuple[Callable[[bytes, bytes, random.Random], bytes], ...] = (
    lambda part, other, draw: b"",
    lambda part, other, draw: part * 2,
    lambda part, other, draw: draw.randbytes(len(part)),
    lambda part, other, draw: bytes(byte ^ (1 << draw.randrange(8)) for byte in part[:1]) + part[1:],
    lambda part, other, draw: draw.choice((b"\xff", b"\0", b"\x7f")) * len(part),
    lambda part, other, draw: other,
)
"""What becomes of a part of a file, given the same part of another one."""


def damaged(content: bytes, other: bytes, draw: random.Random) -> bytes:
    """The content after one to six damages."""
    for _ in range(draw.choice((1, 1, 2, 3, 6))):
        at, length = draw.randrange(len(content) + 1), draw.choice((1, 2, 4, 16, 64, 512))
        part = slice(at, at + length)
        content = content[:at] + draw.choice(WAYS)(content[part], other[part], draw) + content[at + length :]
    return content


def burst(seed: int, folder: Path, counts: Any) -> None:
    """Try a number of files; what is being tried lies in the folder, in case this process dies."""
    draw, found, files = random.Random(seed), Counter[str](), seeds()
    for _ in range(BURST):
        suffix, content, read = draw.choice(files)
        path = folder / f"tried{suffix}"
        path.write_bytes(damaged(content, draw.choice(files)[1], draw))
        before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
        try:
            read(path)
            outcome = "read"
        except UserError:
            outcome = "refused"
        except Exception:
            outcome = f"crash: {traceback.format_exc(limit=-3)}"
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        if time.monotonic() - begun > LONGEST_SECONDS or grown > LARGEST_MIB:
            outcome = f"crash: {time.monotonic() - begun:.0f} s, {grown:.0f} MiB"
        found[outcome.partition("\n")[0] if outcome in ("read", "refused") else outcome] += 1
        if outcome.startswith("crash"):
            path.rename(folder / f"crash{seed}-{found.total()}{suffix}")
        path.unlink(missing_ok=True)
    counts.put(found)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.robustness.fuzzing")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    folder, total, seed = Path(tempfile.mkdtemp(prefix="fuzzing-")), Counter[str](), options.seed * 1_000_000
    end, fork = time.monotonic() + options.minutes * 60, multiprocessing.get_context("fork")
    while time.monotonic() < end:
        counts = fork.Queue()
        process = fork.Process(target=burst, args=(seed, folder, counts))
        process.start()
        process.join(BURST * LONGEST_SECONDS)
        if process.exitcode == 0:
            total += counts.get()
        else:
            process.kill()
            total[f"crash: the process ended with {process.exitcode}"] += 1
            for path in folder.glob("tried*"):
                path.rename(folder / f"crash{seed}-end{path.suffix}")
        seed += 1
    crashes = {text: count for text, count in total.items() if text.startswith("crash")}
    named = f"{total['read']} read, {total['refused']} refused, {sum(crashes.values())} crashes"
    print(f"{total.total()} damaged files: {named}")
    for text, count in crashes.items():
        print(f"{count} times {text}")
    print(folder)
    return EXIT_FAILED if crashes else 0


if __name__ == "__main__":
    sys.exit(run_command(main))
