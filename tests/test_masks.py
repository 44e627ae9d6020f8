"""What counts as crack in a stored mask."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def png(path: Path, pixels: UInt8Array, **more: Any) -> Path:
    Image.fromarray(pixels).save(path, **more)
    return path


def rows(*values: int | tuple[int, int, int]) -> UInt8Array:
    """(64, 64) or (64, 64, 3) of the first value, with rows of the others, one each, at its top."""
    mask = np.full((64, 64, 3) if isinstance(values[0], tuple) else (64, 64), values[0], np.uint8)
    for row, value in enumerate(values[1:]):
        mask[row] = value
    return mask


@pytest.mark.parametrize("crack", [1, 2, 40, 80])
def test_the_colour_of_a_label_map_is_taken_exactly(crack: int, tmp_path: Path):
    labels = (0, 1, 2, 2) if crack < 3 else (0, 40, 80, 80)
    mask = read_mask(png(tmp_path / "a.png", rows(*labels)), (crack, crack, crack))
    np.testing.assert_array_equal(mask, rows(*labels) == crack)


def test_a_colour_that_is_as_good_as_everywhere_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="--crack-colour 5,5,5: the mask has no other colour"):
        read_mask(png(tmp_path / "a.png", rows(0, 1)), (5, 5, 5))


@pytest.mark.parametrize("cracks", [1, 3])
def test_a_thin_crack_on_a_white_ground_is_not_overlooked(cracks: int, tmp_path: Path):
    path = png(tmp_path / "a.png", rows((255, 255, 255), *[(255, 0, 0)] * cracks))
    with pytest.raises(UserError, match="several colours"):
        read_mask(path)
    assert read_mask(path, (255, 0, 0)).sum() == 64 * cracks


def test_a_row_of_another_colour_is_not_overlooked(tmp_path: Path):
    with pytest.raises(UserError, match="several colours"):
        read_mask(png(tmp_path / "a.png", rows((0, 0, 0), *[(255, 0, 0)] * 24, (0, 255, 0))))


def test_labels_beside_a_value_to_ignore_are_refused(tmp_path: Path):
    with pytest.raises(UserError, match="the mask holds the values 0, 1, 255"):
        read_mask(png(tmp_path / "a.png", rows(0, 1, 255)))


@pytest.mark.parametrize(("value", "refused"), [(0, False), (100, True), (255, False)])
def test_a_dark_jpeg_mask_is_refused_and_an_empty_one_is_not(value: int, refused: bool, tmp_path: Path):
    path = png(tmp_path / "a.jpg", rows(0, *[value] * 16), quality=80)
    if refused:
        with pytest.raises(UserError, match="which are crack"):
            read_mask(path)
    else:
        assert read_mask(path).sum() == (16 * 64 if value else 0)


@pytest.mark.parametrize("colour", [(60, 0, 0), (128, 0, 0), (0, 0, 40)])
def test_a_dark_colour_on_black_is_crack_however_much_of_it_there_is(colour: tuple[int, int, int], tmp_path: Path):
    assert read_mask(png(tmp_path / "a.png", rows((0, 0, 0), *[colour] * 40))).sum() == 40 * 64
