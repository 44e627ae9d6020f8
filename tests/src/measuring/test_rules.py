"""What is known of masks before they are read."""

from pathlib import Path

import numpy as np
import pytest
from drawn import mask
from geotiffs import write_geotiff
from PIL import Image

from src.data.masks import UserRule
from src.errors import UserError
from src.maps import header
from src.measuring.rules import Rules


def test_each_mask_is_looked_at_and_damaged_ones_are_kept_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    plain = mask(tmp_path / "plain.png")
    placed = write_geotiff(tmp_path / "placed.tif", np.zeros((30, 40), np.uint8))
    large = tmp_path / "large.png"
    Image.fromarray(np.zeros((200, 200), np.uint8)).save(large)
    damaged = mask(tmp_path / "damaged.png")
    damaged.write_bytes(damaged.read_bytes()[:50])
    monkeypatch.setattr(header, "MAX_PIXELS", 39_999)
    rules = Rules([plain, placed, large, damaged], UserRule())
    assert rules.places.keys() == {placed}
    assert rules.unreadable.keys() == {damaged}
    assert rules.rule.read(plain).max() == 1


def test_a_position_without_a_map_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = mask(tmp_path / "a.png")
    (tmp_path / "a.pgw").write_text("0.004\n0\n0\n-0.004\n691000\n5335000\n")
    assert not Rules([path], UserRule()).places
    assert "rio edit-info" in capsys.readouterr().out


def test_masks_that_are_unclear_are_refused_unless_the_user_says_what_is_crack(tmp_path: Path):
    values = np.zeros((30, 40), np.uint8)
    values[5:9], values[15:19] = 128, 255
    Image.fromarray(values).save(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"a\.png"):
        Rules([tmp_path / "a.png"], UserRule())
    assert Rules([tmp_path / "a.png"], UserRule(above=200)).rule.read(tmp_path / "a.png").mean() == 4 / 30


def test_a_colour_that_no_mask_has_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = mask(tmp_path / "a.png")
    Rules([path], UserRule(((255, 255, 255),)))
    assert capsys.readouterr().out == ""
    Rules([path], UserRule(((7, 7, 7),)))
    assert "none of the masks has 7; they hold 0 (1 mask), 255 (1 mask)" in capsys.readouterr().out
