"""The same picture, in whatever position and storage."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from src.data.files import UInt8Array
from src.datasets.copies import copies
from tests.src.datasets.test_alike import road

OTHERS = [road(seed) for seed in range(1, 6)]


def stored(grey: UInt8Array, quality: int) -> UInt8Array:
    found = cv2.imdecode(cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE)
    assert found is not None
    return found.astype(np.uint8)


@pytest.mark.parametrize("turn", [lambda grey: grey, np.rot90, np.fliplr, lambda grey: np.rot90(np.flipud(grey))])
def test_a_copy_is_found_in_every_position_resized_and_stored_again(turn: Callable[[UInt8Array], UInt8Array]):
    copy = cv2.resize(np.ascontiguousarray(turn(road(0))), (150, 150), interpolation=cv2.INTER_AREA)
    assert set(copies([road(0), *OTHERS, stored(copy.astype(np.uint8), 60)])) == {(0, 6)}


def test_a_copy_of_another_shape_is_found_turned():
    wide = road(0)[:120]
    assert set(copies([wide, *OTHERS, np.ascontiguousarray(np.rot90(wide))])) == {(0, 6)}


def test_vignettes_frames_and_marks_that_many_photographs_share_make_no_copies():
    away = np.hypot(*np.mgrid[-1:1:200j, -1:1:200j])
    walls = [cv2.GaussianBlur(road(seed), (0, 0), 5) * (1 - 0.5 * away) for seed in range(6)]
    assert list(copies([stored(wall.astype(np.uint8), 60) for wall in walls])) == []
    framed = [road(seed) for seed in range(6)]
    for picture in framed:
        picture[:8] = picture[-8:] = 0
        picture[:, :8] = picture[:, -8:] = 0
        cv2.putText(picture, "MaskInfo 7", (15, 180), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 255, 2)
    assert list(copies(framed)) == []


def test_constant_pictures_are_no_copies_and_no_pictures_have_none():
    assert list(copies([np.full((50, 50), 90, np.uint8)] * 2)) == []
    assert list(copies([])) == []
