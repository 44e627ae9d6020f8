"""What to know of a data set that was prepared."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from src.data.files import UInt8Array
from src.data.masks import UserRule, inspect_mask
from src.datasets.notes import first_five, mask_notes, photograph_notes


def saved(folder: Path, name: str, mask: UInt8Array) -> Path:
    Image.fromarray(mask).save(folder / name)
    return folder / name


def of_value(value: int | tuple[int, ...], rows: int = 4) -> UInt8Array:
    mask = np.zeros((16, 16, 3) if isinstance(value, tuple) else (16, 16), np.uint8)
    mask[:rows] = value
    return mask


def notes(paths: list[Path], user_rule: UserRule, shares: list[float]) -> list[str]:
    return list(
        mask_notes([inspect_mask(path, user_rule) for path in paths], user_rule, dict(zip(paths, shares, strict=True)))
    )


def test_masks_without_the_crack_colour_are_counted_with_what_they_hold(tmp_path: Path):
    paths = [saved(tmp_path, "a.png", of_value(1)), saved(tmp_path, "b.png", of_value(2))]
    (note,) = notes(paths, UserRule(((1, 1, 1),)), [0.25, 0.0])
    assert note.startswith("1 of 2 masks hold no 1 and so no crack: b.png.")
    assert "2 (1 mask)" in note


def test_masks_in_several_colours_are_counted(tmp_path: Path):
    paths = [
        saved(tmp_path, f"{n}.png", of_value(colour)) for n, colour in enumerate([(84, 105, 77)] * 2 + [(200, 0, 0)])
    ]
    (note,) = notes(paths, UserRule(), [0.25] * 3)
    assert "84,105,77 in 2, 200,0,0 in 1 masks" in note


def test_masks_that_may_be_inverted_are_named(tmp_path: Path):
    paths = [saved(tmp_path, "a.png", of_value(255)), saved(tmp_path, "b.png", of_value(255, rows=12))]
    (note,) = notes(paths, UserRule(), [0.25, 0.75])
    assert note.startswith("1 masks are at least half crack, b.png")


def test_jpegs_are_told_unless_the_user_says_what_is_crack(tmp_path: Path):
    paths = [saved(tmp_path, "a.jpg", of_value(255))]
    assert any("JPEG" in note for note in notes(paths, UserRule(), [0.25]))
    assert not any("JPEG" in note for note in notes(paths, UserRule(above=100), [0.25]))


@pytest.mark.parametrize("suffix", [".tif", ".webp"])
def test_further_pages_and_frames_are_counted(suffix: str, tmp_path: Path):
    pages = [Image.fromarray(of_value((value, 0, 0))) for value in (10, 200, 90)]
    pages[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / f"b{suffix}")
    (note,) = photograph_notes([tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"], [], None)
    assert note.startswith(f"1 files hold several pictures, of which only the first is read: a{suffix} (2 more)")


def test_smaller_copies_of_a_picture_are_no_pages(tmp_path: Path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(of_value((10, 0, 0)), photometric="rgb")
        writer.write(of_value((10, 0, 0))[::2, ::2], photometric="rgb", subfiletype=1)
    assert not list(photograph_notes([tmp_path / "a.tif"], [], None))


def test_the_bits_to_say_are_told(tmp_path: Path):
    (note,) = photograph_notes([], [], 12)
    assert "data.bits=12" in note
    assert not list(photograph_notes([], [], 16))


def test_five_are_named_and_the_others_counted():
    assert first_five(list("abcdefg")) == "a, b, c, d, e and 2 more"
