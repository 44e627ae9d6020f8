"""Photographs that show the same place."""

import csv
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from src.data.files import UInt8Array, read_image
from src.leaks import Kin, copies, find_kin, grey_of, groups_of_kin, overlapping, touching

SHARED = Path(__file__).parents[2] / "shared" / "data"


def road(seed: int, height: int = 200, width: int = 200) -> UInt8Array:
    """Asphalt of stones of several sizes."""
    random = np.random.default_rng(seed)
    layers = [cv2.GaussianBlur(random.normal(0, 1, (height, width)), (0, 0), sigma) * sigma for sigma in (0.7, 1.5)]
    return (128 + 50 * np.sum(layers, axis=0)).clip(0, 255).astype(np.uint8)


OTHERS = [road(seed) for seed in range(1, 6)]


@pytest.mark.parametrize("turn", [lambda grey: grey, np.rot90, np.fliplr, lambda grey: np.rot90(np.flipud(grey))])
def test_a_copy_is_found_in_every_position_resized_and_stored_again(turn: Callable[[UInt8Array], UInt8Array]):
    copy = cv2.resize(np.ascontiguousarray(turn(road(0))), (150, 150), interpolation=cv2.INTER_AREA)
    stored = cv2.imdecode(cv2.imencode(".jpg", copy, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_GRAYSCALE)
    assert stored is not None
    assert set(copies([road(0), *OTHERS, stored.astype(np.uint8)])) == {(0, 6)}


def test_crops_that_overlap_are_found_also_rotated_and_at_another_scale():
    large = road(0, 500, 500)
    turn = cv2.getRotationMatrix2D((300, 250), 30, 0.8)
    turned = cv2.warpAffine(large, turn, (500, 500))[150:350, 200:400].astype(np.uint8)
    found = set(overlapping([large[100:350, 100:350], *OTHERS, large[200:450, 150:400], turned]))
    assert {(0, 6), (0, 7), (6, 7)} <= found
    assert all({one, other} <= {0, 6, 7} for one, other in found)


def test_tiles_that_touch_are_found_though_they_share_no_pixel():
    large = road(0, 200, 400)
    left, right = large[:, :200], large[:, 200:]
    assert set(touching([left, *OTHERS, right])) == {(0, 6)}
    assert set(touching([left.T, *OTHERS, right.T])) == {(0, 6)}


def test_constant_pictures_are_no_kin_by_their_borders():
    flat = np.full((50, 50), 90, np.uint8)
    assert list(touching([flat, flat])) == []
    assert find_kin([flat]) == []


def test_kin_of_kin_are_one_group():
    assert groups_of_kin([Kin(0, 2, "touch"), Kin(2, 4, "overlap")], 5) == [0, 1, 0, 2, 0]
    assert groups_of_kin([], 3) == [0, 1, 2]


def test_the_same_pictures_have_the_same_kin_every_time():
    large = road(0, 300, 300)
    pictures = [large[:200, :200], large[60:260, 60:260], *OTHERS]
    assert find_kin(pictures) == find_kin(pictures) == [Kin(0, 1, "overlap")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "folder", "column", "recall"),
    [("crack500_tiles", "images", "scene", 0.2), ("cfd", "image", "group", 0.9), ("sut", "images", "group", 0.2)],
)
def test_what_is_found_in_real_photographs_is_right(name: str, folder: str, column: str, recall: float):
    """Precision 1; how much is found depends on how much of a place two photographs share."""
    if not (SHARED / name).is_dir():
        pytest.skip(f"shared/data/{name} is not beside this checkout")
    with (SHARED / name / "groups.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if (SHARED / name / folder / row["file"]).is_file()]
    greys = [grey_of(read_image(SHARED / name / folder / row["file"])) for row in rows]
    kin = find_kin(greys)
    assert all(rows[pair.one][column] == rows[pair.other][column] for pair in kin)
    labels = groups_of_kin(kin, len(rows))
    true = [
        (one, other) for one in range(len(rows)) for other in range(one) if rows[one][column] == rows[other][column]
    ]
    assert sum(labels[one] == labels[other] for one, other in true) / len(true) > recall
