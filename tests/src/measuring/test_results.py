"""What a measurement writes."""

import csv
from pathlib import Path

import numpy as np
import pytest
from drawn import photo
from PIL import Image

from src.data.files import UInt8Array
from src.errors import UserError
from src.measuring.masks import FoundMask
from src.measuring.reading import Reader
from src.measuring.results import Table, Wanted, write_results


def drawn(path: Path, size: tuple[int, int], *rows: int) -> Path:
    """A mask (height, width) with cracks of three pixels along some rows."""
    values: UInt8Array = np.zeros(size, np.uint8)
    for row in rows:
        values[row : row + 3, 2 : size[1] - 2 - row // 2] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


def write(masks: list[FoundMask], wanted: Wanted, folder: Path) -> list[str]:
    (folder / "out").mkdir()
    return write_results(masks, Reader(masks), wanted, folder / "out")


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_short_cracks_are_left_out_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    mask = drawn(tmp_path / "a.png", (60, 60), 5, 50)
    assert write([FoundMask(mask, None)], Wanted(min_length=40, profiles=True), tmp_path) == []
    (row,) = read(tmp_path / "out" / "photographs.csv")
    assert (row["cracks"], row["left_out"]) == ("1", "1")
    assert len(read(tmp_path / "out" / "cracks.csv")) == 1
    assert {line["crack"] for line in read(tmp_path / "out" / "profiles.csv")} == {"1"}
    assert "1 shorter left out" in capsys.readouterr().out


def test_a_photograph_of_another_size_is_named_and_the_others_are_measured(tmp_path: Path):
    masks = [
        FoundMask(drawn(tmp_path / "a.png", (40, 50), 5), photo(tmp_path / "a.jpg", (40, 40))),
        FoundMask(drawn(tmp_path / "b.png", (40, 50), 5), photo(tmp_path / "b.jpg", (50, 40))),
    ]
    (sentence,) = write(masks, Wanted(), tmp_path)
    assert "a.jpg is 40x40" in sentence
    assert [row["photograph"] for row in read(tmp_path / "out" / "photographs.csv")] == ["b.jpg"]


def test_a_mask_turned_by_the_exif_of_its_photograph_is_turned_back(tmp_path: Path):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / "a.jpg", exif=exif)
    mask = drawn(tmp_path / "a.png", (40, 60), 5)
    assert write([FoundMask(mask, tmp_path / "a.jpg")], Wanted(), tmp_path) == []
    (row,) = read(tmp_path / "out" / "photographs.csv")
    assert (row["width_px"], row["height_px"]) == ("40", "60")
    assert float(row["direction_degrees"]) == pytest.approx(90, abs=3)


def test_photographs_in_place_of_masks_are_refused(tmp_path: Path):
    with pytest.raises(UserError, match=r"a\.jpg"):
        write([FoundMask(photo(tmp_path / "a.jpg", (60, 60)), None)], Wanted(), tmp_path)


def test_a_table_without_rows_is_an_empty_file(tmp_path: Path):
    table = Table(tmp_path / "a.csv")
    table.add([])
    table.add([{"a": 1}])
    table.add([{"a": 2}])
    assert (tmp_path / "a.csv").read_text().split() == ["a", "1", "2"]


def test_a_damaged_mask_is_named_and_the_others_are_measured(tmp_path: Path):
    masks = [FoundMask(drawn(tmp_path / f"{name}.png", (40, 50), 5), None) for name in ("a", "b")]
    masks[0].path.write_bytes(masks[0].path.read_bytes()[:60])
    (sentence,) = write(masks, Wanted(), tmp_path)
    assert "a.png" in sentence
    assert [row["photograph"] for row in read(tmp_path / "out" / "photographs.csv")] == ["b.png"]
