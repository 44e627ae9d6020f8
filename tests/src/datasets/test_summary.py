"""The page about a data set."""

from pathlib import Path

import numpy as np

from src.data.files import read_image
from src.datasets.summary import SHOWN, Row, summary, write_summary
from src.scoring.pictures import write_picture


def rows(*shares: float) -> list[Row]:
    return [Row(f"p{number}", "train", "g", f"p{number}.jpg", 32, 32, share, "") for number, share in enumerate(shares)]


def test_shares_are_of_all_pixels_of_a_split():
    large = Row("large", "train", "h", "large.jpg", 96, 32, 0.0, "")
    assert summary([*rows(0.4), large])[1] == ["train", "2", "2", "10.00%"]
    assert summary([])[1] == ["train", "0", "0", "0.00%"]


def write_pairs(some: list[Row], root: Path) -> None:
    for kind in ("images", "masks"):
        (root / "train" / kind).mkdir(parents=True)
    for row in some:
        mask = np.zeros((32, 32), np.uint8)
        mask[8 : 8 + round(row.crack_share * 32)] = 255
        write_picture(np.full((32, 32, 3), 90, np.uint8), root / "train" / "images" / f"{row.file}.png")
        write_picture(mask, root / "train" / "masks" / f"{row.file}.png")


def test_no_photograph_is_shown_twice(tmp_path: Path):
    some = rows(*[0.0] * 5, *[0.1] * 10)
    write_pairs(some, tmp_path)
    write_summary(some, tmp_path, tmp_path, [], [], None)
    shown = (tmp_path / "summary.md").read_text().split("Shown: ")[1].rstrip(".\n").split(", ")
    assert len(shown) == len(set(shown)) == 11


def test_the_sheet_shows_photographs_with_crack_and_one_without(tmp_path: Path):
    some = rows(*[0.0] * 50, *[0.1] * 30)
    write_pairs(some, tmp_path)
    write_summary(some, tmp_path, tmp_path, ["my photographs", "--tile", "32"], ["2 image files were not used."], None)
    text = (tmp_path / "summary.md").read_text()
    shown = text.split("Shown: ")[1].rstrip(".\n").split(", ")
    assert len(shown) == SHOWN
    assert shown[0] == "p9"  # of those without any, the last by name
    assert all(int(name[1:]) >= 50 for name in shown[1:])
    assert "Made by `python -m src.prepare 'my photographs' --tile 32`." in text
    assert "without any crack: 50" in text
    assert "\n\n- 2 image files were not used.\n\n" in text
    assert read_image(tmp_path / "contact_sheet.png").size
