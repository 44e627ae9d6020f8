"""Augmentation presets: albumentations transforms and their arguments, as in ``configs/data/augmentation``."""

import os
import random
import warnings
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # otherwise its import looks for a newer version online
import albumentations as A

from src.errors import UserError, unknown


def build_augmentation(preset: Mapping[str, Mapping[str, Any]], image_size: tuple[int, int]) -> A.Compose:
    """The transforms in their order, for images of ``image_size`` (height, width). The size does not change.

    A quarter turn makes a wide image tall: then a random crop removes what no longer fits, and the rest is mirrored.
    An unknown name or argument is a ``UserError`` with the legal ones.
    """
    fit = A.RandomCrop(*image_size, pad_if_needed=True, border_mode=cv2.BORDER_REFLECT_101)
    return A.Compose([*(_build_transform(name, arguments) for name, arguments in preset.items()), fit])


def sample_seed(seed: int, epoch: int, index: int) -> int:
    """The seed of one augmented sample. It does not depend on the worker, nor on samples drawn before.

    By itself, Albumentations 2.0.8 draws the same stream in every worker and in every epoch.
    """
    return int(np.random.SeedSequence([seed, epoch, index]).generate_state(1)[0])


def seed_augmentation(augmentation: A.Compose, seed: int) -> None:
    """Seed the next sample. All transforms draw from one stream.

    ``Compose.set_random_seed`` gives every transform the same seed, so all draw the same numbers: a sample would get
    either all transforms of equal probability or none.
    """
    augmentation.set_random_state(np.random.default_rng(seed), random.Random(seed))


def _build_transform(name: str, arguments: Mapping[str, Any]) -> A.BasicTransform:
    transform = getattr(A, name, None)
    if not (isinstance(transform, type) and issubclass(transform, A.BasicTransform)):
        raise unknown("transform in data.augmentation", name, _names())
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # an argument that does not exist is only a warning to albumentations
        try:
            return transform(**arguments)
        except (TypeError, ValueError, UserWarning) as error:
            raise UserError(f"data.augmentation.{name}: {' '.join(str(error).split())}") from error


def _names() -> list[str]:
    found = [getattr(A, name) for name in dir(A)]
    return [item.__name__ for item in found if isinstance(item, type) and issubclass(item, A.BasicTransform)]
