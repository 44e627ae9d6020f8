"""Pictures for people."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from src.data.files import UInt8Array, read_image
from src.scoring.pictures import (
    FALSE_ALARM,
    FOUND,
    GAP,
    LINE,
    MISSED,
    PANEL_SIDE,
    contact_sheet,
    font,
    overlay,
    panel,
    shortened,
    write_picture,
)

IMAGE = np.full((2, 2, 3), (10, 20, 200), np.uint8)
PREDICTED = np.array([[1, 1], [0, 0]], np.uint8)
ACTUAL = np.array([[1, 0], [1, 0]], np.uint8)


def luminance(colour: tuple[int, int, int]) -> float:
    """Relative luminance of sRGB (WCAG 2): what is left of a colour for an eye that sees none."""
    linear = [((value / 255 + 0.055) / 1.055) ** 2.4 if value > 10 else value / 255 / 12.92 for value in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_an_overlay_has_a_colour_for_each_kind_of_pixel_and_grey_for_the_rest():
    picture = overlay(IMAGE.copy(), PREDICTED, ACTUAL)
    assert tuple(picture[0, 0]) == FOUND
    assert tuple(picture[0, 1]) == FALSE_ALARM
    assert tuple(picture[1, 0]) == MISSED
    assert len(set(picture[1, 1].tolist())) == 1


def test_an_overlay_without_a_mask_shows_the_prediction_alone():
    picture = overlay(IMAGE.copy(), PREDICTED)
    assert (picture[0] == FOUND).all()
    assert len(np.unique(picture[1])) == 1


def test_the_three_colours_differ_for_an_eye_that_sees_no_colour():
    for one, other in itertools.combinations((FOUND, FALSE_ALARM, MISSED), 2):
        darker, lighter = sorted((luminance(one), luminance(other)))
        assert (lighter + 0.05) / (darker + 0.05) > 1.5


def test_a_panel_is_photograph_mask_and_overlay_side_by_side():
    picture = panel([(IMAGE, PREDICTED, ACTUAL)] * 2)
    step = 2 + GAP
    assert picture.shape == (2 * step + GAP, 3 * step + GAP, 3)
    shown = [picture[GAP : GAP + 2, left : left + 2] for left in range(GAP, 3 * step, step)]
    np.testing.assert_array_equal(shown[0], IMAGE)
    np.testing.assert_array_equal(shown[1][..., 0], ACTUAL * 255)
    np.testing.assert_array_equal(shown[2], overlay(IMAGE, PREDICTED, ACTUAL))
    assert (picture[:GAP] == 255).all()
    assert (picture[:, :GAP] == 255).all()
    assert (picture[step : step + GAP] == 255).all()


def test_a_panel_of_large_photographs_is_small():
    large = np.zeros((600, 1200, 3), np.uint8)
    assert panel([(large, large[..., 0], large[..., 0])]).shape == (
        PANEL_SIDE // 2 + 2 * GAP,
        3 * PANEL_SIDE + 4 * GAP,
        3,
    )


def dark_columns(picture: UInt8Array) -> list[int]:
    return np.flatnonzero((picture < 128).any(axis=(0, 2))).tolist()


def test_a_contact_sheet_has_the_name_below_each_photograph():
    grey = np.full((100, 200, 3), 200, np.uint8)
    empty = np.zeros((100, 200), np.uint8)
    sheet = contact_sheet([("", grey, empty), ("Straße 7ü", grey, empty), ("x" * 300, grey, empty)])
    step = PANEL_SIDE + GAP
    assert sheet.shape == (GAP + 100 + GAP + LINE, GAP + 6 * step, 3)
    lines = [sheet[-LINE:, GAP + number * step : GAP + (number + 1) * step] for number in range(4)]
    assert [bool(dark_columns(line)) for line in lines] == [False, True, True, False]
    assert len(dark_columns(lines[1])) < 100
    assert PANEL_SIDE / 2 < max(dark_columns(lines[2])) < PANEL_SIDE  # a long name stays in its cell
    assert (sheet[GAP : GAP + 100, GAP : GAP + 200] == 200).all()


def test_names_are_shortened_in_the_middle_where_they_differ_least():
    assert list(shortened("crack_12")) == [
        "crack_12", "crac…_12", "cra…_12", "cra…12", "cr…12", "cr…2", "c…2", "c…", "…",
    ]  # fmt: skip
    assert next(shortened("a\nb\x00")) == "a?b?"


def test_every_letter_of_an_accented_name_can_be_drawn():
    def drawn(letter: str) -> bytes:
        paper = Image.new("L", (20, 20))
        ImageDraw.Draw(paper).text((0, 0), letter, 255, font())
        return paper.tobytes()

    assert all(drawn(letter) != drawn("\ufffe") for letter in "AzÄöüßéčłøñžΩЖя09_-.()…")


def test_pictures_come_back_as_they_were_under_any_name(tmp_path: Path):
    path = tmp_path / "Straße 7=ü.png"
    write_picture(IMAGE, path)
    np.testing.assert_array_equal(read_image(path), IMAGE)


def test_a_picture_that_the_disk_has_no_room_for_is_an_error_and_the_old_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "a.png"
    write_picture(IMAGE.copy(), path)
    old = path.read_bytes()

    def cut(name: str, picture: UInt8Array) -> bool:  # as OpenCV does with a small picture on a full disk
        Path(name).write_bytes(old[:-20])
        return True

    monkeypatch.setattr("src.scoring.pictures.cv2.imwrite", cut)
    with pytest.raises(OSError, match="No space left on device"):
        write_picture(IMAGE.copy(), path)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_a_picture_for_a_folder_that_is_gone_does_not_speak_of_a_full_disk(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        write_picture(IMAGE.copy(), tmp_path / "gone" / "a.png")
