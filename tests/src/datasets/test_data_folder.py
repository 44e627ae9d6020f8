"""Writing a data folder."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from src.data.masks import UserRule, inspect_mask
from src.data.reading import Reading
from src.datasets.data_folder import PlannedPhotograph, PreparationRules, cuts, no_crack, write
from src.datasets.photographs import Source
from src.errors import UserError


def rules(user_rule: UserRule | None = None, masks: tuple[Path, ...] = (), tile: int | None = None) -> PreparationRules:
    user_rule = user_rule or UserRule()
    return PreparationRules(user_rule, tuple(inspect_mask(path, user_rule) for path in masks), Reading(), tile, 0)


@pytest.fixture
def items(tmp_path: Path) -> list[PlannedPhotograph]:
    """Two photographs of 24x16 pixels; the mask of the second is almost full."""
    found = list[PlannedPhotograph]()
    for number, rows in enumerate((2, 14)):
        image, mask = tmp_path / "source" / f"p{number}.png", tmp_path / "source" / f"m{number}.png"
        image.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(image), np.random.default_rng(number).integers(0, 256, (16, 24, 3), np.uint8))
        drawn = np.zeros((16, 24), np.uint8)
        drawn[:rows] = 255
        cv2.imwrite(str(mask), drawn)
        found.append(PlannedPhotograph(f"p{number}", Source(image, mask), ("train", "val")[number], f"g{number}"))
    return found


def test_what_is_written_and_what_to_know_of_it(items: list[PlannedPhotograph], tmp_path: Path):
    masks = tuple(item.source.picture for item in items if item.source.picture)
    rows, notes = write(items, tmp_path / "source", tmp_path / "out", rules(masks=masks))
    assert [(row.file, row.split, row.crack_share) for row in rows] == [("p0", "train", 0.125), ("p1", "val", 0.875)]
    assert (tmp_path / "out" / "val" / "masks" / "p1.png").is_file()
    assert any("at least half crack, m1.png" in note for note in notes)
    assert any("no photograph in test" in note for note in notes)
    assert all(f"- {note}" in (tmp_path / "out" / "summary.md").read_text() for note in notes)


def test_the_tiles_of_a_photograph_are_judged_together(items: list[PlannedPhotograph], tmp_path: Path):
    masks = tuple(item.source.picture for item in items if item.source.picture)
    rows, notes = write(items, tmp_path / "source", tmp_path / "out", rules(masks=masks, tile=8))
    assert {row.crack_share for row in rows if row.file.startswith("p1")} == {1.0, 0.75}
    assert [note for note in notes if "half crack" in note] == [
        "1 masks are at least half crack, m1.png: are they inverted?"
    ]


def test_a_colour_that_no_mask_has_is_refused_with_those_that_they_have(items: list[PlannedPhotograph], tmp_path: Path):
    user_rule = UserRule(((9, 9, 9),))
    masks = tuple(item.source.picture for item in items if item.source.picture)
    empty = PreparationRules(user_rule, tuple(inspect_mask(path, user_rule) for path in masks), Reading(), None, 0)
    assert no_crack(empty) == "none has 9; they hold 0 (2 masks), 255 (2 masks)."
    assert "--crack-above" in no_crack(replace(empty, user_rule=UserRule()))
    assert "drawing" in no_crack(rules())  # without a mask that is a picture


def test_a_photograph_named_as_anothers_tile_is_refused(items: list[PlannedPhotograph], tmp_path: Path):
    twin = items[1]._replace(name="p0_y0_x0", split="train")
    small = cv2.imread(str(twin.source.image))
    assert small is not None
    cv2.imwrite(str(twin.source.image), small[:8, :8])
    cv2.imwrite(str(twin.source.mask), np.full((8, 8), 255, np.uint8))
    with pytest.raises(UserError, match="p0_y0_x0 is the name"):
        write([items[0], twin], tmp_path / "source", tmp_path / "out", rules(tile=8))
    assert not (tmp_path / "out").exists()


def test_tiles_cover_a_photograph():
    pieces = list(cuts(16, 20, rules(tile=8)))
    covered = np.zeros((16, 20), int)
    for _, rows, columns in pieces:
        covered[rows, columns] += 1
    assert covered.min() == 1
    assert [name for name, _, _ in cuts(8, 8, rules(tile=8))] == [""]
