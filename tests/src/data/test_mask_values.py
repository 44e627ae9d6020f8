"""What counts as crack in one mask, whatever it is stored as."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from src.data.files import UInt8Array
from src.data.mask_files import Stored
from src.data.mask_values import crack_of_grey
from src.data.masks import read_mask
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


def test_a_map_of_labels_is_refused_and_not_read_as_empty(tmp_path: Path):
    labels = CRACK.copy()
    labels[0] = 2
    Image.fromarray(labels).save(tmp_path / "labels.png")
    with pytest.raises(UserError, match=r"labels\.png: .*values 0, 1, 2.*--crack-colour"):
        read_mask(tmp_path / "labels.png")


def test_colours_beside_each_other_are_refused_until_one_is_named(tmp_path: Path):
    drawn = two_colours(RED, GREEN)
    Image.fromarray(drawn).save(tmp_path / "two.png")
    with pytest.raises(UserError, match=r"two\.png: the mask has several colours, such as 30,160,40 and 200,20,20"):
        read_mask(tmp_path / "two.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "two.png", RED), CRACK)
    np.testing.assert_array_equal(read_mask(tmp_path / "two.png", GREEN), 1 - CRACK)
    drawn[:5] = (10, 10, 240)  # a third class
    Image.fromarray(drawn).save(tmp_path / "three.png")
    expected = CRACK.copy()
    expected[:5] = 0
    np.testing.assert_array_equal(read_mask(tmp_path / "three.png", RED), expected)


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


@pytest.mark.parametrize("value", [0, 1, 255])
def test_a_mask_of_one_value_is_empty_or_full(value: int):
    mask, crack = crack_of_grey(Stored(np.full((2, 3), value, np.uint8), blurred=False))
    assert mask.tolist() == [[int(value > 0)] * 3] * 2
    assert crack == ((value, value, value) if value else None)


def test_an_array_without_pixels_is_no_crack():
    assert crack_of_grey(Stored(np.zeros((0, 4), np.uint8), blurred=False))[0].shape == (0, 4)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16, np.int32])
def test_the_values_of_instances_are_refused_at_any_depth(depth: Any, tmp_path: Path):
    top = 200 if depth == np.uint8 else 1000
    mask = np.zeros((64, 64), depth)
    for number, value in enumerate((1, top // 2, top)):
        mask[4 + 9 * number, :50] = value
    Image.fromarray(mask).save(tmp_path / "ids.tif")
    with pytest.raises(UserError, match=rf"ids\.tif: the mask holds the values 0, 1, {top // 2}, {top}"):
        read_mask(tmp_path / "ids.tif")


def test_many_instances_are_no_soft_edges(tmp_path: Path):
    mask = np.zeros((200, 200), np.uint8)
    for number in range(40):
        mask[number * 5 : number * 5 + 2, 10 + number : 60 + number] = number * 6 + 5
    with pytest.raises(UserError, match=r"the mask holds the values 0, 5, 11, .* 239"):
        read_mask(png(tmp_path / "a.png", mask))


@pytest.mark.parametrize("unsure", [127, 128])
def test_a_value_for_not_sure_is_refused_whatever_it_is(unsure: int, tmp_path: Path):
    mask = rows(0, unsure, unsure, 255, unsure, unsure)
    with pytest.raises(UserError, match=f"the mask holds the values 0, {unsure}, 255"):
        read_mask(png(tmp_path / "a.png", mask))


def test_classes_as_spaced_greys_are_refused(tmp_path: Path):
    mask = rows(0, 85, 0, 0, *[170] * 20, 0, *[255] * 10)
    with pytest.raises(UserError, match="the mask holds the values 0, 85, 170, 255"):
        read_mask(png(tmp_path / "a.png", mask))


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_mask_that_was_shrunk_has_soft_edges_and_no_classes(factor: int, tmp_path: Path):
    drawn = np.zeros((480, 480), np.uint8)
    points = np.cumsum(np.random.default_rng(factor).integers(-4, 5, (60, 2)), axis=0) + 240
    cv2.polylines(drawn, [points.astype(np.int32)], False, 255, 3)
    small = cv2.resize(drawn, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA).astype(np.uint8)
    assert len(np.unique(small)) > 4
    np.testing.assert_array_equal(read_mask(png(tmp_path / "a.png", small)), small > 127)


@pytest.mark.parametrize(
    ("one", "other"), [((84, 105, 77), (191, 156, 138)), ((60, 90, 60), (191, 160, 138)), ((255, 0, 0), (255, 128, 0))]
)
def test_two_dull_colours_in_one_mask_are_refused(one: tuple[int, ...], other: tuple[int, ...], tmp_path: Path):
    mask = rows((0, 0, 0), *[one] * 6, (0, 0, 0), *[other] * 6)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"several colours, such as 0 and \d+,\d+,\d+ and \d+,\d+,\d+"):
        read_mask(png(tmp_path / "a.png", mask))


def test_a_mask_in_two_shades_of_one_colour_is_a_map(tmp_path: Path):
    mask = rows((0, 0, 0), *[(100, 0, 0)] * 6, *[(255, 0, 0)] * 6)
    with pytest.raises(UserError, match="the mask holds the values 0, 100, 255"):
        read_mask(png(tmp_path / "a.png", mask))


def test_negative_values_are_refused(tmp_path: Path):
    Image.fromarray(np.where(CRACK, 1, -9999).astype(np.int32)).save(tmp_path / "nodata.tif")
    with pytest.raises(UserError, match=r"nodata\.tif: the mask holds the values -9999, 1"):
        read_mask(tmp_path / "nodata.tif")
    np.testing.assert_array_equal(read_mask(tmp_path / "nodata.tif", (1, 1, 1)), CRACK)
