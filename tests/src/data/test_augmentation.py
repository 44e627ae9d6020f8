"""Augmentation presets: ``python -m pytest tests/src/data/test_augmentation.py``."""

import numpy as np
import pytest

from src.config.compose import load_config
from src.data.augmentation import build_augmentation, sample_seed, seed_augmentation
from src.errors import UserError

PRESETS = ["none", "light", "default", "strong"]


@pytest.mark.parametrize("size", [(48, 48), (48, 72), (80, 32)])
@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_keeps_shape_type_and_a_mask_of_0_and_1(preset: str, size: tuple[int, int]) -> None:
    augment = build_augmentation(load_config([f"data.augmentation={preset}"]).data.augmentation, size)
    rng = np.random.default_rng(0)
    image, mask = rng.integers(0, 256, (*size, 3), np.uint8), (rng.random(size) > 0.8).astype(np.uint8)
    for seed in range(30):
        seed_augmentation(augment, seed)
        out = augment(image=image, mask=mask)
        assert (out["image"].shape, out["image"].dtype) == (image.shape, np.uint8)
        assert (out["mask"].shape, out["mask"].dtype) == (mask.shape, np.uint8)
        assert set(np.unique(out["mask"]).tolist()) == {0, 1}


@pytest.mark.parametrize("preset", PRESETS)
def test_geometric_transforms_move_image_and_mask_alike(preset: str) -> None:
    """Only the transforms that move pixels: on a picture of the mask itself, both must stay the same picture."""
    transforms = load_config([f"data.augmentation={preset}"]).data.augmentation
    moving = ("HorizontalFlip", "VerticalFlip", "RandomRotate90", "Affine", "ElasticTransform")
    augment = build_augmentation(
        {name: {**transforms[name], "p": 1.0} for name in moving if name in transforms}, (64, 64)
    )
    mask = np.zeros((64, 64), np.uint8)
    mask[8:20, 10:50] = 1  # in no symmetry of the square
    mask[8:50, 40:50] = 1
    picture, moved = np.repeat(mask[..., None] * 255, 3, axis=2), 0
    for seed in range(20):
        seed_augmentation(augment, seed)
        out = augment(image=picture, mask=mask)
        overlap = (out["image"][..., 0] > 127) & (out["mask"] > 0)
        either = (out["image"][..., 0] > 127) | (out["mask"] > 0)
        assert overlap.sum() / either.sum() > 0.9  # the image is interpolated, the mask is not
        moved += not np.array_equal(out["mask"], mask)
    assert (moved > 10) == (preset != "none")


def test_the_symmetries_of_the_square_keep_every_pixel() -> None:
    augment = build_augmentation(load_config().data.augmentation, (16, 16))
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    for seed in range(20):
        seed_augmentation(augment, seed)
        out = augment(image=image, mask=image[..., 0])
        assert np.array_equal(out["mask"], out["image"][..., 0])
        assert np.array_equal(np.sort(out["image"], axis=None), np.sort(image, axis=None))


def test_a_quarter_turn_of_a_wide_image_fills_it_with_mirrored_pavement() -> None:
    augment = build_augmentation({"RandomRotate90": {"p": 1.0}}, (32, 64))
    image = np.full((32, 64, 3), 90, np.uint8)
    for seed in range(20):
        seed_augmentation(augment, seed)
        assert augment(image=image, mask=image[..., 0])["image"].min() == 90  # no black border


def test_transforms_are_applied_in_the_order_of_the_preset() -> None:
    names = list(load_config(["data.augmentation=strong"]).data.augmentation)
    augment = build_augmentation(load_config(["data.augmentation=strong"]).data.augmentation, (32, 32))
    assert [type(transform).__name__ for transform in augment.transforms[:-1]] == names


def test_an_unknown_transform_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(
        UserError, match=r"Unknown transform in data\.augmentation 'HorizontalFlop'\. Did you mean 'Hor"
    ):
        build_augmentation({"HorizontalFlop": {"p": 0.5}}, (32, 32))


@pytest.mark.parametrize("name", ["Compose", "os", "__name__"])
def test_what_is_no_transform_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="Unknown transform"):
        build_augmentation({name: {}}, (32, 32))


@pytest.mark.parametrize("arguments", [{"strength": 3}, {"blur_limit": "much"}, {"p": 2.0}], ids=str)
def test_an_unknown_argument_or_an_illegal_value_is_refused_by_transform(arguments: dict[str, object]) -> None:
    with pytest.raises(UserError, match=r"data\.augmentation\.GaussianBlur: "):
        build_augmentation({"GaussianBlur": arguments}, (32, 32))


def test_the_seed_of_a_sample_depends_on_run_epoch_and_index() -> None:
    seeds = {sample_seed(seed, epoch, index) for seed in range(5) for epoch in range(5) for index in range(40)}
    assert len(seeds) == 5 * 5 * 40
    assert sample_seed(1, 2, 3) == sample_seed(1, 2, 3)
    assert all(0 <= seed < 2**32 for seed in seeds)
