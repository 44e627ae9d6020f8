"""Generates synthetic pavement photographs with crack masks, for a first sweep without data of your own.

``python -m src.synthetic --out data/synthetic --images 240 --seed 0`` fills OUT/{train,val,test}/{images,masks}/ with
RGB images and masks (0 sound, 255 crack). Joints, shadows, stains, patches, paint and tyre marks are never in a mask.
"""

import json
import math
import shutil
import sys
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from src.atomic import new_folder
from src.errors import Parser, UserError, outlive_reader, run_command
from src.folders import user_path

Field = npt.NDArray[np.float64]  # (size, size), or (3, size, size) for an RGB picture: a field broadcasts over it
Bytes = npt.NDArray[np.uint8]
Place = tuple[Field, float]  # a point (x, y) and a direction in radians
MARKER = "synthetic.json"
VERSION = 1  # raise it when the pictures change, so that an existing folder is replaced
# 14 : 3 : 3 in every twenty, fixed per index, so that a larger data set only adds to a smaller one.
SPLIT_CYCLE = [{"T": "train", "V": "val", "E": "test"}[letter] for letter in "TVETTTTTVETTTTTVETTT"]
CRACK_FREE_CHANCE = 0.12
ENDLESS = 1e4  # units: a side that leaves the picture at both ends
SUPERSAMPLING = 4  # cracks are drawn this much finer, so that a width is exact to a quarter of a pixel


class Scene:
    """One square of pavement: ``picture`` (3, size, size) RGB, about 0..1. Lengths are in units of size/128 px."""

    def __init__(self, rng: np.random.Generator, size: int) -> None:
        self.rng, self.size, self.unit = rng, size, size / 128
        self.y, self.x = np.mgrid[:size, :size] / self.unit  # pixel positions in units
        self.picture: Field = self.asphalt() if rng.random() < 0.6 else self.concrete()

    def noise(self, grain: float, size: int = 0) -> Field:
        """Noise (size, size) of mean about 0 and spread about 1 with blobs ``grain`` units wide (at least a pixel)."""
        size = size or self.size
        cells = math.ceil(128 / grain) + 2 if grain > 128 / size else size
        fine = cv2.resize(self.rng.standard_normal((cells, cells)), (size, size), interpolation=cv2.INTER_CUBIC)
        return np.asarray(fine / max(float(fine.std()), 0.3), np.float64)

    def stones(self, diameter: float, shown: float) -> tuple[Field, Field]:
        """Aggregate: tone of each stone (0 in the binder, spread about 1) and roundness (1 mid-stone, 0 in gaps)."""
        count, double = int((128 / diameter) ** 2 * 1.4) + 4, 2 * self.size
        seeds = np.ones((double, double), np.uint8)
        seeds[self.rng.integers(0, double, count), self.rng.integers(0, double, count)] = 0
        distance, owner = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
        labels = np.asarray(owner, np.int32)
        reach = diameter * self.unit * self.rng.uniform(0.7, 1.3, count + 1)
        inside = np.clip(1.6 * (1 - distance / reach[labels]), 0, 1)
        tones = (self.rng.standard_normal(count + 1) + 0.3) * (self.rng.random(count + 1) < shown)
        both = np.stack([tones[labels] * inside, inside]).reshape(2, self.size, 2, self.size, 2).mean(axis=(2, 4))
        return both[0], both[1]

    def lit(self, grey: Field, height: Field, relief: float) -> Field:
        """A picture of the grey surface: a colour cast, coloured grains, bumps (height in px) under a low sun."""
        warm, sun = self.rng.normal(0, 0.04), self.rng.uniform(0, 2 * math.pi)
        bumps = math.cos(sun) * np.gradient(height, axis=1) + math.sin(sun) * np.gradient(height, axis=0)
        grains = np.stack([self.noise(2.5) for _ in range(3)])
        return (grey + relief * bumps) * np.array([1 + warm, 1, 1 - warm]).reshape(3, 1, 1) + 0.012 * grains

    def asphalt(self) -> Field:
        """Dark surface: stones of two sizes in a binder, grit, slow changes of tone."""
        coarse, coarse_round = self.stones(self.rng.uniform(2.5, 6), self.rng.uniform(0.3, 0.9))
        fine, fine_round = self.stones(self.rng.uniform(1.2, 2.2), 0.8)
        sharp, height = self.noise(1), self.unit * (coarse_round + 0.5 * fine_round)
        grit = 0.055 * coarse + 0.035 * fine + 0.05 * (coarse_round - 0.6) + 0.03 * sharp
        grey = self.rng.uniform(0.30, 0.55) + 0.025 * self.noise(45) + 0.012 * self.noise(14)
        return self.lit(grey + self.rng.uniform(0.8, 1.7) * grit, height + 0.25 * sharp, self.rng.uniform(0.03, 0.14))

    def concrete(self) -> Field:
        """Light surface: sand, blotches at several scales, pinholes and sometimes broom strokes."""
        sand, height = self.stones(self.rng.uniform(1.2, 3), 0.7)
        grit = (
            0.035 * sand + 0.02 * self.noise(1) - 0.15 * np.clip(-self.stones(5, self.rng.uniform(0, 0.15))[0], 0, 1.2)
        )
        broom = (self.rng.random() < 0.35) * 0.02 * self.noise(1.2)[:, :1]  # strokes run right across
        grey = self.rng.uniform(0.52, 0.72) + 0.012 * self.noise(7) + 0.02 * self.noise(22) + 0.02 * self.noise(60)
        return self.lit(grey + grit + broom, self.unit * height + 0.3 * self.noise(1), self.rng.uniform(0.02, 0.05))

    def block(self, place: Place, width: float | Field, height: float | Field = ENDLESS, soft: float = 0.5) -> Field:
        """Cover 0..1 of a rectangle at ``place`` (centre x, y; angle) whose edges are ``2 * soft`` units wide."""
        (centre, angle), cover = place, np.ones((self.size, self.size))
        for turn, side in ((angle, width), (angle + math.pi / 2, height)):
            distance = np.abs((self.x - centre[0]) * math.sin(turn) - (self.y - centre[1]) * math.cos(turn))
            cover *= np.clip((side / 2 - distance) / (2 * soft) + 0.5, 0, 1)
        return cover

    def place(self) -> Place:
        """A random place and direction."""
        return self.rng.uniform(10, 118, 2), self.rng.uniform(0, math.pi)

    def patch(self) -> None:
        """A repaired rectangle of fresh asphalt with a dark, worn edge of sealant."""
        place, (width, height) = self.place(), self.rng.uniform(30, 110, 2)
        seam = self.rng.uniform(2, 6) + 0.8 * self.noise(8)
        inner, outer = self.block(place, width, height), self.block(place, width + seam, height + seam)
        self.picture += (self.asphalt() * self.rng.uniform(0.7, 1.1) - self.picture) * inner
        self.picture *= 1 - np.clip(outer - inner, 0, 1) * (0.8 + 0.2 * self.noise(6)) * self.rng.uniform(0.3, 0.7)

    def paint(self) -> None:
        """A worn white or yellow lane line."""
        left = np.clip(self.rng.uniform(0.6, 1.1) + 0.3 * self.noise(1.5) + 0.24 * self.noise(12), 0, 0.95)
        colour = [[[0.86]], [[0.86]], [[0.84]]] if self.rng.random() < 0.7 else [[[0.82]], [[0.66]], [[0.25]]]
        self.picture += (np.array(colour) - self.picture) * left * self.block(self.place(), self.rng.uniform(8, 24))

    def stains(self) -> None:
        """Oil blobs and small dark spots with ragged outlines."""
        for _ in range(int(self.rng.integers(1, 7))):
            centre, radius = self.rng.uniform(0, 128, 2), math.exp(self.rng.uniform(math.log(1.8), math.log(22)))
            reach = np.hypot(self.x - centre[0], self.y - centre[1]) / radius + 0.22 * self.noise(max(radius / 2, 1.5))
            self.picture *= 1 - np.clip((1 - reach) * self.rng.uniform(1.2, 4), 0, 1) * self.rng.uniform(0.2, 0.65)

    def tyre_marks(self) -> None:
        """Two parallel, patchy rubber tracks."""
        centre, angle = self.place()
        aside = np.array([-math.sin(angle), math.cos(angle)]) * self.rng.uniform(25, 60)
        for track in (centre, centre + aside):
            rubber = np.clip(0.7 + 0.35 * self.noise(1.5), 0, 1) * self.rng.uniform(0.12, 0.4)
            self.picture *= 1 - self.block((track, angle), self.rng.uniform(5, 16), soft=1.5) * rubber

    def joints(self) -> None:
        """Straight saw cuts of even width, alone or crossing at a right angle."""
        (centre, angle), width = self.place(), self.rng.uniform(1, 4)
        depth = self.rng.uniform(0.35, 0.85) + 0.05 * self.noise(4)
        for turn in [0, math.pi / 2][: int(self.rng.integers(1, 3))]:
            self.picture *= 1 - self.block((centre, angle + turn), width) * depth

    def shadow(self) -> None:
        """The soft, slightly bluish shadow of a pole or of something larger beside the road."""
        cover = self.block(self.place(), self.rng.uniform(12, 110), self.rng.uniform(60, 200), self.rng.uniform(0.6, 5))
        self.picture *= 1 - cover * self.rng.uniform(0.25, 0.55) * np.array([1.04, 1.0, 0.92]).reshape(3, 1, 1)

    def walk(self, start: Field, heading: float, width: float, length: float) -> Field:
        """One crack as rows of x, y, width in units: a random walk that keeps its heading roughly and thins out."""
        steps = max(int(length / 1.5), 4)
        sway, swell = np.sin(np.cumsum(self.rng.normal(0, 0.16, (2, steps)), axis=1)) / 2
        angle = heading + sway + self.rng.normal(0, 0.4, steps)
        points = start + 1.5 * np.cumsum(np.stack([np.cos(angle), np.sin(angle)], axis=1), axis=0)
        widths = width * np.exp(swell) * np.sqrt(np.linspace(1, 0, steps))
        return np.column_stack([points, np.clip(widths, 1.2, 6)])

    def crack_walks(self) -> list[Field]:
        """One to three cracks right across the picture, with branches that branch again."""
        branches, done = (0.3, 0.8, 1.8)[self.rng.integers(3)], list[Field]()
        todo: list[tuple[Field, float, float, float, int]] = []
        for heading in self.rng.uniform(0, 2 * math.pi, (1, 1, 2, 2, 3)[self.rng.integers(5)]):
            start, aim = 64 - 80 * np.array([math.cos(heading), math.sin(heading)]), self.rng.normal(0, 0.4)
            todo.append((start, heading + aim, self.rng.uniform(1.4, 5), self.rng.uniform(110, 260), 0))
        while todo:
            start, heading, width, length, depth = todo.pop()
            done.append(self.walk(start, heading, width, length))
            for row in self.rng.choice(done[-1], self.rng.poisson(branches) if depth < 2 else 0):
                turn, shorter = self.rng.choice([-1, 1]) * self.rng.uniform(0.5, 1.4), self.rng.uniform(0.3, 0.7)
                todo.append((row[:2], heading + turn, row[2] * self.rng.uniform(0.5, 0.9), length * shorter, depth + 1))
        return done

    def crack_cover(self) -> Field:
        """The share 0..1 of each pixel that is crack, with edges as ragged as broken stone."""
        fine, scale = self.size * SUPERSAMPLING, self.unit * SUPERSAMPLING
        cover = np.zeros((fine, fine), np.float32)
        for rows in self.crack_walks():
            for begin, end in pairwise(np.round(rows * scale).astype(int).tolist()):
                cv2.line(cover, begin[:2], end[:2], (1.0,), end[2])
        bend = np.stack([self.noise(3, fine) + self.noise(1.2, fine) for _ in range(2)])
        y, x = (np.indices((fine, fine)) + 0.35 * scale * bend).astype(np.float32)
        ragged = cv2.remap(cover, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(cv2.resize(ragged, (self.size, self.size), interpolation=cv2.INTER_AREA), np.float64)

    def crack(self) -> Bytes:
        """Open the cracks in the picture, some faint, some with pale broken rims; returns their mask (0 or 255)."""
        cover = self.crack_cover()
        depth = self.rng.uniform(0.38, 0.82) + 0.1 * self.noise(25) + 0.08 * self.noise(1.5)  # dirt fills some of it
        soft = np.asarray(cv2.GaussianBlur(cover, (0, 0), self.rng.uniform(0.25, 0.6) * self.unit), np.float64)
        halo = np.asarray(cv2.GaussianBlur(cover, (0, 0), 1.6 * self.unit), np.float64) * (1 - soft)
        rim = (self.rng.random() < 0.35) * self.rng.uniform(0.1, 0.5) * np.clip(1 + 0.5 * self.noise(3), 0, 2)
        self.picture *= (1 - soft * np.clip(depth, 0.15, 0.92)) * (1 + rim * halo)
        return np.where(cover > 0.5, 255, 0).astype(np.uint8)

    def photograph(self) -> Bytes:
        """The finished scene as a camera sees it, uint8 (size, size, 3) RGB: uneven light, soft focus, sensor noise."""
        x, y, slope = self.x - 64, self.y - 64, self.rng.normal(0, 0.0013, 2)
        light = 1 + slope[0] * x + slope[1] * y - self.rng.uniform(0, 3e-5) * (x**2 + y**2)
        exposed = np.clip(self.picture * light * self.rng.uniform(0.6, 1.25), 0, 1).transpose(1, 2, 0)
        lens = np.asarray(cv2.GaussianBlur(exposed, (0, 0), self.rng.uniform(0.2, 0.7)), np.float64)
        grainy = self.rng.normal(lens, self.rng.uniform(0.004, 0.025))
        return np.round(np.clip(grainy, 0, 1) * 255).astype(np.uint8)


def render(seed: int, index: int, size: int) -> tuple[Bytes, Bytes]:
    """Image ``index`` of the data set ``seed``: RGB uint8 (size, size, 3) and mask uint8 (size, size) of 0 and 255."""
    scene = Scene(np.random.default_rng([seed, index]), size)
    distractors = {scene.patch: 0.2, scene.paint: 0.15, scene.stains: 0.45, scene.tyre_marks: 0.2, scene.joints: 0.3}
    for draw, chance in {**distractors, scene.shadow: 0.35}.items():
        if scene.rng.random() < chance:
            draw()
    mask = scene.crack() if scene.rng.random() >= CRACK_FREE_CHANCE else np.zeros((size, size), np.uint8)
    return scene.photograph(), mask


def write_dataset(out: Path, images: int = 240, seed: int = 0, size: int = 128) -> None:
    """Write the data set to ``out`` in one step, unless it exists already; a killed run leaves only a hidden folder."""
    for name, value, least in (("--images", images, 3), ("--size", size, 32), ("--seed", seed, 0)):
        if value < least:
            raise UserError(f"{name}={value}: must be at least {least}.")
    parameters = json.dumps({"version": VERSION, "images": images, "seed": seed, "size": size})
    if out.resolve() == Path.cwd():
        raise UserError(f"--out={out}: the current folder would be replaced; choose another.")
    out = out.resolve()  # a linked folder is replaced where it really is
    made = (out / MARKER).read_text() if (out / MARKER).is_file() else ""
    if made == parameters:
        return
    if not made and (out.is_file() or (out.is_dir() and any(out.iterdir()))):
        raise UserError(
            f"--out={out}: it exists and was not written by src.synthetic; choose a new or an empty folder."
        )
    with new_folder(out) as partial:
        for index in range(images):
            picture, mask = render(seed, index, size)
            for kind, pixels in (("images", picture[..., ::-1]), ("masks", mask)):  # OpenCV writes blue first
                path = partial / SPLIT_CYCLE[index % 20] / kind / f"{index:05d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
        (partial / MARKER).write_text(parameters)
        shutil.rmtree(out, ignore_errors=True)


def main(argv: list[str]) -> None:
    """Write the data set and print what it holds."""
    parser = Parser(prog="python -m src.synthetic", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=user_path, required=True, help="folder to write")
    for name, default in (("--images", 240), ("--seed", 0), ("--size", 128)):
        parser.add_argument(name, type=int, default=default, help=f"default {default}")
    chosen = parser.parse_args(argv)
    outlive_reader()
    write_dataset(chosen.out, chosen.images, chosen.seed, chosen.size)
    split = ", ".join(f"{name} {len(list(chosen.out.glob(name + '/masks/*')))}" for name in ("train", "val", "test"))
    share = np.mean([np.asarray(cv2.imread(str(path), 0)) > 0 for path in chosen.out.glob("*/masks/*.png")])
    print(f"{chosen.out}: {split}; {share:.1%} of the pixels are crack")


if __name__ == "__main__":
    sys.exit(run_command(main))
