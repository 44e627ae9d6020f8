"""Measures how well a mask fits its photograph: cracks are darker than their surroundings."""

from itertools import chain

import cv2
import numpy as np

from src.data.files import Float32Array, UInt8Array

NARROW, WIDE = 1 / 480, 8 / 480
"""Standard deviations of the two blurs whose difference is the local darkness, as shares of the longer side."""
FEWEST = 20
"""Crack pixels. A mask with less has no score."""
SHIFTS = (-0.2, -0.1, 0.0, 0.1, 0.2)
"""Shifts of the mask for comparison, as shares of a side."""


def alignment_score(image: UInt8Array, mask: UInt8Array) -> float:
    """How much darker the photograph is under its mask than under the mask at other positions, in standard deviations.

    The other positions are cyclic shifts and mirror images; the standard deviation is taken over them. 0 means that
    the mask fits no better than at any other position, nan that it has too little crack.
    """
    crack = mask.astype(bool)
    if crack.sum() < FEWEST or crack.all():
        return float("nan")
    dark = darkness(image)
    height, width = crack.shape
    moves = [(round(down * height), round(right * width)) for down in SHIFTS for right in SHIFTS if down or right]
    shifted = (np.roll(crack, move, axis=(0, 1)) for move in moves)  # one at a time to save memory
    elsewhere = chain(shifted, (crack[::-1], crack[:, ::-1], crack[::-1, ::-1]))
    others = np.array([dark[place].mean() for place in elsewhere])
    return float((dark[crack].mean() - others.mean()) / max(float(others.std()), 1e-6))


def darkness(image: UInt8Array) -> Float32Array:
    """(H, W): how much darker each pixel is than its surroundings, in standard deviations over the photograph."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    side = max(grey.shape)
    found = cv2.GaussianBlur(grey, (0, 0), WIDE * side) - cv2.GaussianBlur(grey, (0, 0), NARROW * side)
    return (found / max(float(found.std()), 1e-6)).astype(np.float32)
