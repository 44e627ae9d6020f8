"""Crops of photographs at their own scale: random ones for training, and a regular tiling for scoring.

Both have the input size of the network. A smaller photograph is mirrored at its right and lower edges.
"""

from itertools import product

import numpy as np

from src.config.schema import CrackCrop, RandomCrop
from src.data.cache import CachedSplit
from src.data.files import UInt8Array
from src.data.tiles import Size, mirrored, starts


class TiledSplit:
    """A split cut into the fewest tiles that cover its photographs, evenly spread. Overlaps are seen twice."""

    def __init__(self, split: CachedSplit, size: Size) -> None:
        self.split, self.size = split, size
        self.scale = split.scale
        self.tiles = [
            (index, top, left)
            for index, whole in enumerate(split.sizes)
            for top, left in product(*(starts(max(whole[side], size[side]), size[side], size[side]) for side in (0, 1)))
        ]

    def __len__(self) -> int:
        return len(self.tiles)

    def sample(self, index: int, epoch: int = 0) -> tuple[UInt8Array, UInt8Array]:
        """Image (H, W, 3) and mask (H, W), the same in every epoch."""
        return cut(self.split, *self.tiles[index], self.size)


class RandomCrops:
    """Random crops that depend only on the seed, the epoch and their index."""

    def __init__(self, split: CachedSplit, size: Size, crop: RandomCrop | CrackCrop, seed: int) -> None:
        self.split, self.size, self.seed = split, size, seed
        self.scale = split.scale
        self.crack_share = crop.crack_share if crop.name == "crack" else 0.0
        covers = [-(-height // size[0]) * -(-width // size[1]) for height, width in split.sizes]
        counts = covers if crop.per_photograph == "auto" else [crop.per_photograph] * len(covers)
        self.photographs = np.repeat(np.arange(len(split)), counts)

    def __len__(self) -> int:
        return len(self.photographs)

    def sample(self, index: int, epoch: int = 0) -> tuple[UInt8Array, UInt8Array]:
        """Image (H, W, 3) and mask (H, W). The index fixes the photograph; the position differs in every epoch."""
        random = np.random.default_rng([self.seed, epoch, index, len(self)])
        photograph = int(self.photographs[index])
        around = self._crack(photograph, random) if random.random() < self.crack_share else None
        corner = [
            self._corner(random, side, photograph, around[side] if around is not None else None) for side in (0, 1)
        ]
        return cut(self.split, photograph, corner[0], corner[1], self.size)

    def _corner(self, random: np.random.Generator, side: int, photograph: int, around: int | None) -> int:
        """The start of a crop along a side: random, so that the crop contains the pixel ``around`` if it is given."""
        room = max(self.split.sizes[photograph][side] - self.size[side], 0)
        low, high = (0, room) if around is None else (max(0, around - self.size[side] + 1), min(room, around))
        return int(random.integers(low, high + 1))

    def _crack(self, photograph: int, random: np.random.Generator) -> tuple[int, int] | None:
        """Row and column of a random crack pixel, uniformly drawn; None if there is no crack."""
        until = np.cumsum(self.split.crack_rows(photograph))
        if not until[-1]:
            return None
        row = int(np.searchsorted(until, random.integers(until[-1]), side="right"))
        return row, int(random.choice(np.flatnonzero(self.split.mask(photograph)[row])))


def cut(split: CachedSplit, photograph: int, top: int, left: int, size: Size) -> tuple[UInt8Array, UInt8Array]:
    """Image (H, W, 3) and mask (H, W) of ``size``, from row ``top`` and column ``left`` of a photograph."""
    place = slice(top, top + size[0]), slice(left, left + size[1])
    return mirrored(split.image(photograph)[place], size), mirrored(split.mask(photograph)[place], size)
