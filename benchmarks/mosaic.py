"""Memory and seconds of a mosaic that does not fit into memory: ``python -m benchmarks.mosaic CHECKPOINT PHOTOS``.

A GeoTIFF is made of photographs side by side, seen within a circle as by a drone, then predicted and measured by the
commands, each in its own process. With ``--control-group`` (a folder of the kernel's memory controller whose limit is
set) they run in it, as on a machine with so much memory. Printed are the largest resident memory and the seconds of
each.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from src.data.files import UInt8Array, list_images, read_image
from src.errors import run_command
from src.folders import user_path

PEAK = """
import atexit, resource, runpy, sys
atexit.register(lambda: print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
"""A program that runs a module and prints its largest resident memory in KiB."""
METRES = 0.001
"""Side of a pixel."""


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mosaic", description=__doc__)
    parser.add_argument("checkpoint", type=user_path)
    parser.add_argument("photographs", type=user_path, help="a folder")
    parser.add_argument("--side", type=int, default=20000, help="pixels of the mosaic's sides (20000)")
    parser.add_argument("--control-group", type=user_path, help="folder of a memory controller")
    parser.add_argument("--keep", type=user_path, help="folder for the mosaic and the results")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as made:
        folder = options.keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        mosaic = folder / "mosaic.tif"
        if not mosaic.exists():
            write_mosaic(mosaic, options.photographs, options.side)
        print(f"mosaic: {options.side**2 / 1e6:.0f} million pixels, {mosaic.stat().st_size / 2**20:.0f} MiB")
        predict = [
            "src.predict",
            options.checkpoint,
            mosaic,
            "--out",
            folder / "predictions",
            "--clean",
            "--probabilities",
        ]
        measure = ["src.measure", folder / "predictions", "--out", folder / "measures", "--geojson"]
        for words in (predict, measure):
            mib, seconds = run([str(word) for word in words], options.control_group)
            print(f"{words[0]}: {seconds:.0f} s, {mib:.0f} MiB", flush=True)


def run(words: list[str], control_group: Path | None) -> tuple[float, float]:
    """MiB of the largest resident memory, and seconds, of ``python -m WORDS``."""
    begin = f"echo $$ > {control_group / 'cgroup.procs'}; " if control_group else ""
    command = ["bash", "-c", begin + 'exec "$@"', "bash", sys.executable, "-c", PEAK, *words]
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("peak "))
    return int(line.split()[1]) / 1024, time.monotonic() - started


def write_mosaic(path: Path, photographs: Path, side: int) -> None:
    """Photographs in rows and columns, each once until they begin anew."""
    import rasterio
    from rasterio.transform import Affine

    options: dict[str, Any] = {"driver": "GTiff", "dtype": "uint8", "count": 4, "height": side, "width": side}
    options |= {
        "tiled": True,
        "photometric": "RGB",
        "alpha": "YES",
        "compress": "deflate",
        "crs": "EPSG:32632",
        "BIGTIFF": "IF_SAFER",
    }
    options |= {"transform": Affine.translation(691000, 5335000) @ Affine.scale(METRES, -METRES)}
    images = cycle(list_images(photographs))
    with rasterio.Env(GDAL_CACHEMAX=64 * 2**20), rasterio.open(path, "w", **options) as file:
        for top in range(0, side, 256):
            rows = np.concatenate(list(row_of(images, side)), axis=1)[: side - top, :side]
            down = np.arange(top, top + len(rows))[:, None] + 0.5 - side / 2
            seen = np.hypot(down, np.arange(side) + 0.5 - side / 2) < side / 2
            window: Any = ((top, top + len(rows)), (0, side))
            bands = np.concatenate([rows * seen[..., None], seen[..., None] * np.uint8(255)], axis=2)
            file.write(np.moveaxis(bands, -1, 0), window=window)


def row_of(images: Iterator[Path], side: int) -> Iterator[UInt8Array]:
    """The upper 256 rows of photographs, as many as fill a row."""
    width = 0
    while width < side:
        image = read_image(next(images))
        image = np.pad(image, ((0, max(0, 256 - len(image))), (0, 0), (0, 0)), mode="reflect")[:256]
        width += image.shape[1]
        yield image


if __name__ == "__main__":
    sys.exit(run_command(main))
