"""Predicts photographs one by one and writes their masks, overlays and maps of probabilities."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from src.data.depth import choose_bits
from src.data.files import Float32Array, UInt8Array
from src.errors import UserError
from src.maps.photographs import OpenPhotograph, brightest_seen, open_photograph
from src.predicting.least_sure import LeastSure
from src.predicting.progress import Progress, speed
from src.predicting.sinks import Pictures, new_map, new_sink
from src.predicting.sureness import Sureness
from src.predicting.table import Row, name_of, read_rows, write_rows
from src.scoring.cleaning import Cleaning, Levels, cleaned_rows, strips
from src.scoring.inference import Network
from src.scoring.pictures import outline, write_picture


@dataclass(frozen=True)
class Wanted:
    """How to predict, and what to write."""

    threshold: float
    tta: str
    overlap: float
    cleaning: Cleaning | None
    """None: the threshold alone."""
    probabilities: bool
    """Whether to write maps of probabilities."""

    def levels(self, probs: Float32Array) -> UInt8Array:
        """The level of each pixel for cleaning; without it, whether it is crack."""
        return (probs >= self.threshold).view(np.uint8) if self.cleaning is None else self.cleaning.levels(probs)

    def masks(self, levels: Levels, scale: tuple[float, float]) -> Iterator[UInt8Array]:
        """The mask of levels, strip by strip; ``scale`` is that of the network's images."""
        if self.cleaning is None:
            return (levels[rows] for rows in strips(levels.shape))
        return cleaned_rows(levels, round(self.cleaning.smallest / (scale[0] * scale[1]), 6))


def predict_files(network: Network, photographs: Sequence[Path], out: Path, wanted: Wanted) -> None:
    """Write the results of each photograph and print its share of crack.

    Unreadable files are skipped, and are a ``UserError`` at the end.
    """
    rows, unreadable, least_sure, name = list[Row](), list[str](), LeastSure(), name_of(network)
    bits, before = choose_bits(photographs, network.config.data.bits, brightest_seen), read_rows(out)
    started = time.monotonic()
    with Progress(len(photographs)) as progress:
        for path in photographs:
            try:
                with open_photograph(path, bits) as photograph:
                    found = predict_photograph(network, photograph, out, wanted, progress)
            except UserError as error:
                unreadable.append(str(error))
                progress.end(f"{path}  skipped")
                continue
            rows.append(found.row(out) | {"threshold": round(wanted.threshold, 4), "network": name})
            least_sure.add(path.name, found.sureness.value, *found.pictures)
            progress.end(f"{path}  {found.share:.2%} crack")
    if rows:
        write_rows(out, before, rows)
    if len(rows) > 1:
        seconds = time.monotonic() - started
        write_picture(least_sure.picture(), out / "least_sure.png")
        print(f"{len(rows)} photographs in {seconds:.0f} s, {speed(len(rows), seconds)}")
        print(f"least sure: {', '.join(least_sure.names[:5])}  ({out / 'least_sure.png'})")
    if rows:
        print(f"{out}  (threshold {wanted.threshold:.3f}; cracks are outlined in blue in the overlays)")
    if not rows:
        remove_empty(out)
    if unreadable:
        raise UserError(
            f"{len(unreadable)} of {len(photographs)} photographs could not be read. {' '.join(unreadable)}"
        )


def remove_empty(out: Path) -> None:
    """Remove the folders of results that hold nothing."""
    for folder in (out / "masks", out / "overlays", out / "probabilities", out):
        with suppress(OSError):
            folder.rmdir()


@dataclass
class Found:
    """What is predicted in a photograph."""

    photograph: OpenPhotograph
    mask: Path
    sureness: Sureness
    seconds: float
    pixels: int
    """That show something."""
    crack: int
    """Pixels of crack."""
    pictures: Pictures
    """Its crack is outlined in the photograph."""

    @property
    def share(self) -> float:
        return self.crack / max(1, self.pixels)

    def row(self, out: Path) -> Row:
        """The row of the table."""
        height, width = self.photograph.image.shape[:2]
        return {
            "photograph": str(self.photograph.path.absolute()),
            "mask": str(self.mask.relative_to(out)),
            "width_px": width,
            "height_px": height,
            "share": round(self.share, 6),
            "sure": round(self.sureness.value, 4),
            "seconds": round(self.seconds, 2),
        }


def predict_photograph(
    network: Network, photograph: OpenPhotograph, out: Path, wanted: Wanted, progress: Progress
) -> Found:
    """Write mask, overlay and, if wanted, probabilities."""
    started = time.monotonic()
    name = photograph.path.stem + (".tif" if photograph.is_file else ".png")
    path, shape, sureness, pixels, top = out / "masks" / name, photograph.image.shape, Sureness(), 0, 0
    progress.begin(shape[0])
    for folder in ("masks", "overlays", *(["probabilities"] if wanted.probabilities else [])):
        (out / folder).mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        sink = stack.enter_context(new_sink(photograph, path))
        maps = [new_map(out / "probabilities" / name, photograph)] if wanted.probabilities else []
        writers = [stack.enter_context(one) for one in maps]
        for probs in network.rows(photograph.image, wanted.tta, wanted.overlap):
            seen = None if photograph.seen is None else photograph.seen[top : top + len(probs)]
            if seen is not None:
                probs *= seen
            sureness.add(probs, (probs >= wanted.threshold).view(np.uint8))
            sink.write(wanted.levels(probs))
            for writer in writers:
                writer.write((probs * 255).round().astype(np.uint8), seen)
            pixels += probs.size if seen is None else int(seen.sum())
            top += len(probs)
            progress.advance(len(probs))
        (image, mask), crack = sink.finish(lambda levels: wanted.masks(levels, network.scale))
    write_picture(outline(image, mask), out / "overlays" / f"{photograph.path.stem}.png")
    return Found(photograph, path, sureness, time.monotonic() - started, pixels, crack, (image, mask))
