"""How long images take to decode: ``python -m benchmarks.cache_building [DATA_ROOT] [--size H W] [--repeats N]``.

The three splits of a data root (without one: 300 synthetic JPEG photographs) are decoded and resized into a new cache,
in turns by one thread and by all cores, from files that the system has in its memory. Then the cache is opened again,
as every later sweep does.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from PIL import Image

from src.config.schema import SPLITS
from src.cores import available_cores
from src.data import cache
from src.data.cache import load_split
from src.errors import run_command
from src.folders import user_path
from src.synthetic import write_dataset

PHOTOGRAPHS = 300
SIDE = 384
"""Of a synthetic photograph in pixels."""


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cache_building")
    parser.add_argument("root", type=user_path, nargs="?", metavar="DATA_ROOT")
    parser.add_argument("--size", type=int, nargs=2, default=[256, 256], metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as place:
        root = options.root or make(Path(place) / "data")
        size = (options.size[0], options.size[1])
        one, all_cores, again = measure(root, size, Path(place), options.repeats)
        count = sum(len(list((root / split / "images").iterdir())) for split in SPLITS)
    ratios = sorted(slow / fast for slow, fast in zip(one, all_cores, strict=True))
    print(
        f"{count} photographs to {size[0]}x{size[1]}: one thread {statistics.median(one):.2f} s, "
        f"{available_cores()} cores {statistics.median(all_cores):.2f} s, ratio {statistics.median(ratios):.2f} "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f}); opened again in {statistics.median(again) * 1000:.0f} ms"
    )


def measure(
    root: Path, size: tuple[int, int], place: Path, repeats: int
) -> tuple[list[float], list[float], list[float]]:
    """Seconds of each repeat: by one thread, by all cores, and to open what is there, after one that does not count."""

    def build(name: str, cores: int) -> float:
        with patch.object(cache, "available_cores", lambda: cores):
            return seconds(lambda: load_all(root, size, place / name))

    build("warm", 1)
    one, all_cores, again = list[float](), list[float](), list[float]()
    for number in range(repeats):
        one.append(build(f"one{number}", 1))
        all_cores.append(build(f"all{number}", available_cores()))
        again.append(seconds(lambda number=number: load_all(root, size, place / f"all{number}")))
    return one, all_cores, again


def load_all(root: Path, size: tuple[int, int], cache_dir: Path) -> None:
    for split in SPLITS:
        load_split(root, split, size, cache_dir)


def seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def make(root: Path) -> Path:
    """Synthetic photographs, as JPEG."""
    write_dataset(root, images=PHOTOGRAPHS, size=SIDE)
    for path in root.glob("*/images/*.png"):
        with Image.open(path) as image:
            image.save(path.with_suffix(".jpg"), quality=90)
        path.unlink()
    return root


if __name__ == "__main__":
    sys.exit(run_command(main))
