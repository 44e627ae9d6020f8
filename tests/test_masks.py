"""What counts as crack in a stored mask."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from src.data.files import UInt8Array
from src.data.masks import main_colours, of_grey, read_mask
from src.errors import UserError

CRACK = np.zeros((24, 32), np.uint8)
CRACK[10:13] = 1
CRACK[:, 20:22] = 1
RED, GREEN, WHITE, BLACK = (200, 20, 20), (30, 160, 40), (255, 255, 255), (0, 0, 0)


def two_colours(crack: tuple[int, ...], ground: tuple[int, ...]) -> UInt8Array:
    return np.where(CRACK[..., None] == 1, crack, ground).astype(np.uint8)


def palette(crack: tuple[int, int, int]) -> Image.Image:
    image = Image.fromarray(CRACK).convert("P")
    image.putdata(CRACK.ravel().tolist())
    image.putpalette([0, 0, 0, *crack])
    return image


STORED: dict[str, Callable[[], Image.Image]] = {
    "0 and 1": lambda: Image.fromarray(CRACK),
    "0 and 255": lambda: Image.fromarray(CRACK * 255),
    "0 and 76": lambda: Image.fromarray(CRACK * 76),
    "one bit": lambda: Image.fromarray(CRACK * 255).convert("1"),
    "black and red in a palette": lambda: palette((128, 0, 0)),
    "a dark palette": lambda: palette((0, 0, 64)),
    "a grey palette": lambda: palette((90, 90, 90)),
    "colour": lambda: Image.fromarray(two_colours(RED, BLACK)),
    "white, opaque": lambda: Image.fromarray(CRACK * 255).convert("RGBA"),
    "white on transparent": lambda: Image.fromarray(np.dstack([CRACK * 255] * 4)),
    "black on transparent": lambda: Image.fromarray(np.dstack([CRACK * 0] * 3 + [CRACK * 255])),
    "red on transparent": lambda: Image.fromarray(np.dstack([two_colours(RED, BLACK), CRACK * 255])),
    "grey with opacity": lambda: Image.fromarray(np.dstack([CRACK * 255, CRACK * 255])),
    "16 bit": lambda: Image.fromarray(CRACK.astype(np.uint16) * 65535),
    "0 and 1 in 16 bit": lambda: Image.fromarray(CRACK.astype(np.uint16)),
    "0 and 255 in 16 bit": lambda: Image.fromarray(CRACK.astype(np.uint16) * 255),
}


@pytest.mark.parametrize("stored", list(STORED))
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_mask_is_the_same_however_it_is_stored(tmp_path: Path, stored: str, suffix: str):
    path = tmp_path / f"mask{suffix}"
    STORED[stored]().save(path)
    found = read_mask(path)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, CRACK)


def test_an_antialiased_mask_is_cut_in_the_middle_in_grey_and_in_colour(tmp_path: Path):
    large = cv2.resize(CRACK * 255, (320, 240), interpolation=cv2.INTER_NEAREST)
    soft = cv2.resize(large, (47, 35), interpolation=cv2.INTER_AREA)
    assert len(np.unique(soft)) > 2
    cv2.imwrite(str(tmp_path / "grey.png"), soft)
    np.testing.assert_array_equal(read_mask(tmp_path / "grey.png"), soft > 127)
    Image.fromarray(np.dstack([soft, soft // 10, soft // 10])).save(tmp_path / "red.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "red.png"), soft > 127)


@pytest.mark.parametrize("quality", [50, 75, 95])
def test_a_jpeg_mask_does_not_grow_and_an_empty_one_stays_empty(tmp_path: Path, quality: int):
    large = cv2.resize(CRACK * 255, (320, 240), interpolation=cv2.INTER_NEAREST)
    Image.fromarray(large).save(tmp_path / "mask.jpg", quality=quality)
    assert np.abs(read_mask(tmp_path / "mask.jpg").astype(int) - large // 255).mean() < 0.002
    Image.fromarray((large > 0).astype(np.uint8)).save(tmp_path / "dark.jpg", quality=quality)
    assert not read_mask(tmp_path / "dark.jpg").any()
    (tmp_path / "dark.jpg").rename(tmp_path / "dark.png")  # what a file is, its content says
    assert not read_mask(tmp_path / "dark.png").any()


@pytest.mark.parametrize("value", [0, 1, 255])
def test_a_mask_of_one_value_is_empty_or_full(value: int):
    assert of_grey(np.full((2, 3), value, np.uint8), blurred=False).tolist() == [[int(value > 0)] * 3] * 2


def test_an_array_without_pixels_is_no_crack():
    assert of_grey(np.zeros((0, 4), np.uint8), blurred=False).shape == (0, 4)


def test_a_map_of_labels_is_refused_and_not_read_as_empty(tmp_path: Path):
    labels = CRACK.copy()
    labels[0] = 2
    Image.fromarray(labels).save(tmp_path / "labels.png")
    with pytest.raises(UserError, match=r"labels\.png: the mask holds the values 0, 1, 2, at most 2: which are crack"):
        read_mask(tmp_path / "labels.png")


def test_colours_beside_each_other_are_refused_until_one_is_named(tmp_path: Path):
    drawn = two_colours(RED, GREEN)
    Image.fromarray(drawn).save(tmp_path / "two.png")
    with pytest.raises(UserError, match=r"two\.png: the mask has several colours, such as \(30, 160, 40\) and \(200"):
        read_mask(tmp_path / "two.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "two.png", RED), CRACK)
    np.testing.assert_array_equal(read_mask(tmp_path / "two.png", GREEN), 1 - CRACK)
    drawn[:5] = (10, 10, 240)  # a third class
    Image.fromarray(drawn).save(tmp_path / "three.png")
    expected = CRACK.copy()
    expected[:5] = 0
    np.testing.assert_array_equal(read_mask(tmp_path / "three.png", (190, 30, 30)), expected)


def test_red_on_white_is_refused_until_it_is_named(tmp_path: Path):
    Image.fromarray(two_colours(RED, WHITE)).save(tmp_path / "paper.png")
    with pytest.raises(UserError, match="several colours"):
        read_mask(tmp_path / "paper.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "paper.png", RED), CRACK)


def test_black_cracks_on_white_are_named_black(tmp_path: Path):
    Image.fromarray((1 - CRACK) * 255).save(tmp_path / "inverted.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "inverted.png"), 1 - CRACK)
    np.testing.assert_array_equal(read_mask(tmp_path / "inverted.png", BLACK), CRACK)


def test_a_mask_without_the_named_colour_holds_no_crack(tmp_path: Path):
    Image.fromarray(two_colours(GREEN, BLACK)).save(tmp_path / "other.png")
    assert not read_mask(tmp_path / "other.png", RED).any()


def test_edges_are_no_colour_of_their_own():
    soft = cv2.resize(two_colours(RED, BLACK), (320, 240), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    assert main_colours(soft)[0] == BLACK
    assert RED in main_colours(soft)


@pytest.mark.parametrize("colours", [1, 3])
def test_a_photograph_in_the_place_of_a_mask_is_refused(colours: int, tmp_path: Path):
    noise = np.random.default_rng(0).normal(120, 25, (64, 64)).clip(0, 255)
    photograph = noise.astype(np.uint8) if colours == 1 else (noise[..., None] * [1, 0.9, 0.7]).astype(np.uint8)
    Image.fromarray(photograph).save(tmp_path / "photograph.png")
    with pytest.raises(UserError, match=r"photograph\.png: most of the mask is neither dark nor bright"):
        read_mask(tmp_path / "photograph.png")
