"""A photograph with its mask or drawing."""

from pathlib import Path

import numpy as np
import pytest
from drawn import CORNERS, photo, square
from PIL import Image
from scipy.io import savemat

from src.data.reading import Reading
from src.datasets.drawings import Drawing
from src.datasets.photographs import FoundFiles, Source
from src.errors import UserError


def drawing(path: Path, width: int = 12, height: int = 10) -> Drawing:
    drawn = Drawing(path, width, height)
    drawn.add_polygon(CORNERS)
    return drawn


def test_a_mask_may_be_a_picture_a_matlab_file_or_a_drawing(tmp_path: Path):
    image = photo(tmp_path / "a.jpg")
    Image.fromarray(square() * 255).save(tmp_path / "a.png")
    savemat(tmp_path / "a.mat", {"groundTruth": {"Segmentation": square() + 1}})
    for mask in (tmp_path / "a.png", tmp_path / "a.mat", drawing(tmp_path / "a.json")):
        np.testing.assert_array_equal(Source(image, mask).read(Reading())[1], square())
    assert Source(image, drawing(tmp_path / "a.json")).file == tmp_path / "a.json"


def test_a_drawing_of_another_size_is_refused_with_its_file(tmp_path: Path):
    source = Source(photo(tmp_path / "a.jpg"), drawing(tmp_path / "a.json", width=10**9, height=10**9))
    with pytest.raises(UserError, match=r"a\.jpg is 12x10 pixels and its mask .*a\.json 10{9}x10{9}"):
        source.read(Reading())


def test_a_drawing_is_turned_with_a_photograph_whose_pixels_lie_in_its_file(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (12, 10)).save(tmp_path / "a.jpg", exif=exif)
    image, mask = Source(tmp_path / "a.jpg", drawing(tmp_path / "a.json")).read(Reading())
    assert image.shape[:2] == mask.shape == (12, 10)
    np.testing.assert_array_equal(mask, np.rot90(square(), -1))


def test_what_is_found_in_two_places_is_put_together():
    both, path = FoundFiles(), Path("a.jpg")
    for _ in range(2):
        both.add(
            FoundFiles([Source(path, path)], [(path, "train")], [path], ["b.jpg"], [path], [(path, path)], ["a note"])
        )
    assert {len(some) for some in vars(both).values()} == {2}
