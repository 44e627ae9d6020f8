"""How well a mask fits its photograph: cracks are darker than what is beside them."""

from itertools import chain

import cv2
import numpy as np

from src.data.files import Float32Array, UInt8Array

NARROW, WIDE = 1 / 480, 8 / 480
"""Of the longer side: standard deviations of the blurs whose difference is how much darker a place is."""
FEWEST = 20
"""Crack pixels, below which nothing can be said."""
SHIFTS = (-0.2, -0.1, 0.0, 0.1, 0.2)
"""Of a side: where else the mask is laid."""


def fit(image: UInt8Array, mask: UInt8Array) -> float:
    """How much darker the photograph is under its mask than under the same mask elsewhere, in standard deviations.

    Elsewhere is shifted (around the edge) and mirrored, and the deviation is that over all these places. 0: as any
    other place; nan: too little crack to say.
    """
    crack = mask.astype(bool)
    if crack.sum() < FEWEST or crack.all():
        return float("nan")
    dark = darkness(image)
    height, width = crack.shape
    moves = [(round(down * height), round(right * width)) for down in SHIFTS for right in SHIFTS if down or right]
    shifted = (np.roll(crack, move, axis=(0, 1)) for move in moves)  # one at a time: a large photograph's are large
    elsewhere = chain(shifted, (crack[::-1], crack[:, ::-1], crack[::-1, ::-1]))
    others = np.array([dark[place].mean() for place in elsewhere])
    return float((dark[crack].mean() - others.mean()) / max(float(others.std()), 1e-6))


def darkness(image: UInt8Array) -> Float32Array:
    """(H, W): how much darker a place is than what is around it, in standard deviations over the photograph."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    side = max(grey.shape)
    found = cv2.GaussianBlur(grey, (0, 0), WIDE * side) - cv2.GaussianBlur(grey, (0, 0), NARROW * side)
    return (found / max(float(found.std()), 1e-6)).astype(np.float32)
