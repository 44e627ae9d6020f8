"""Pieces of photographs at their own scale: drawn anew in every epoch to learn from, and all of them to be scored.

Both have the size that the network sees. A photograph that is smaller is mirrored at its right and lower edges.
"""

from itertools import product

import numpy as np

from src.config.schema import CrackCrop, RandomCrop
from src.data.cache import CachedSplit
from src.data.files import UInt8Array
from src.data.tiles import Size, mirrored, starts


class TiledSplit:
    """A split cut into the fewest tiles that cover its photographs, evenly spread: what they share is seen twice."""

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
    """Crops that depend on nothing but the seed, the epoch and their number."""

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
        """Image (H, W, 3) and mask (H, W); the photograph is that of the index in every epoch, the place is not."""
        random = np.random.default_rng([self.seed, epoch, index, len(self)])
        photograph = int(self.photographs[index])
        around = self._crack(photograph, random) if random.random() < self.crack_share else None
        corner = [
            self._corner(random, side, photograph, around[side] if around is not None else None) for side in (0, 1)
        ]
        return cut(self.split, photograph, corner[0], corner[1], self.size)

    def _corner(self, random: np.random.Generator, side: int, photograph: int, around: int | None) -> int:
        """Where a crop begins along a side: anywhere, or anywhere that has a pixel in it."""
        room = max(self.split.sizes[photograph][side] - self.size[side], 0)
        low, high = (0, room) if around is None else (max(0, around - self.size[side] + 1), min(room, around))
        return int(random.integers(low, high + 1))

    def _crack(self, photograph: int, random: np.random.Generator) -> tuple[int, int] | None:
        """Row and column of a pixel of crack, each as likely as any other; None where there is none."""
        until = np.cumsum(self.split.crack_rows(photograph))
        if not until[-1]:
            return None
        row = int(np.searchsorted(until, random.integers(until[-1]), side="right"))
        return row, int(random.choice(np.flatnonzero(self.split.mask(photograph)[row])))


def cut(split: CachedSplit, photograph: int, top: int, left: int, size: Size) -> tuple[UInt8Array, UInt8Array]:
    """Image (H, W, 3) and mask (H, W) of ``size``, from row ``top`` and column ``left`` of a photograph."""
    place = slice(top, top + size[0]), slice(left, left + size[1])
    return mirrored(split.image(photograph)[place], size), mirrored(split.mask(photograph)[place], size)
