"""What counts as crack in the masks of a data set: one rule for all."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from src.data.files import UInt8Array
from src.data.mask_colours import Colour
from src.data.masks import MaskRule, UserRule, choose_mask_rule, describe_colours, inspect_mask, read_mask
from src.errors import UserError

RED, ORANGE = (255, 0, 0), (255, 128, 0)


def painted(*rows: int | Colour) -> UInt8Array:
    """(64, 64) or (64, 64, 3) with rows of these values at its top."""
    colours = any(isinstance(value, tuple) for value in rows)
    mask = np.zeros((64, 64, 3) if colours else (64, 64), np.uint8)
    for number, value in enumerate(rows):
        mask[number] = value
    return mask


def saved(folder: Path, *masks: np.ndarray, suffix: str = ".png") -> list[Path]:
    paths = [folder / f"{number}{suffix}" for number in range(len(masks))]
    for path, mask in zip(paths, masks, strict=True):
        Image.fromarray(mask).save(path)
    return paths


def rule_of(paths: list[Path], user_rule: UserRule = UserRule()) -> MaskRule:  # noqa: B008
    return choose_mask_rule([inspect_mask(path, user_rule) for path in paths], user_rule)


def counts(paths: list[Path], user_rule: UserRule) -> list[int]:
    """Rows of crack in each mask."""
    rule = rule_of(paths, user_rule)
    return [int(rule.read(path).sum()) // 64 for path in paths]


def test_numbers_of_classes_are_read_exactly_also_where_the_class_is_not(tmp_path: Path):
    paths = saved(tmp_path, painted(1, 2, 2), painted(0, 2, 2), painted(0), painted(1))
    assert counts(paths, UserRule(((1, 1, 1),))) == [1, 0, 0, 1]
    assert counts(paths, UserRule(((2, 2, 2),))) == [2, 2, 0, 0]
    assert counts(paths, UserRule(((1, 1, 1), (2, 2, 2)))) == [3, 2, 0, 1]
    assert counts(paths, UserRule(above=0)) == [3, 2, 0, 1]


def test_a_jpeg_of_few_colours_has_blurred_edges_all_the_same(tmp_path: Path):
    drawn = np.zeros((64, 64), np.uint8)
    drawn[20:24, 4:60] = 255
    sharp, soft = saved(tmp_path, drawn)[0], tmp_path / "soft.jpg"
    Image.fromarray(drawn).save(soft, quality=90)
    assert 2 < len(np.unique(np.array(Image.open(soft)))) <= 32
    rule = rule_of([sharp, soft], UserRule(((255, 255, 255),)))
    for path in (sharp, soft):
        np.testing.assert_array_equal(rule.read(path), drawn > 0)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_of_more_numbers_than_colours_are_counted_only_the_one_that_is_said_is_crack(depth: type, tmp_path: Path):
    numbers = np.kron(np.arange(256).reshape(16, 16), np.ones((4, 4))).astype(depth)  # 16 pixels each
    paths = saved(tmp_path, numbers, numbers.clip(2))
    for found, expected in zip(
        (rule_of(paths, UserRule(((1, 1, 1),))).read(path) for path in paths), (1, 0), strict=True
    ):
        np.testing.assert_array_equal(found, (numbers == 1) * expected)


def test_a_near_colour_is_no_crack_in_a_mask_without_the_crack(tmp_path: Path):
    thin = painted((0, 0, 0))
    thin[60, 10:28] = ORANGE
    paths = saved(tmp_path, painted(RED, (0, 0, 0), ORANGE), thin)
    assert counts(paths, UserRule((RED,))) == [1, 0]


def test_a_near_colour_with_soft_edges_is_no_crack_either(tmp_path: Path):
    def drawn(*colours: Colour) -> UInt8Array:
        large = np.zeros((400, 400, 3), np.uint8)
        for number, colour in enumerate(colours):
            cv2.line(large, (10, 40 + 90 * number), (390, 70 + 90 * number), colour, 5)
        return cv2.resize(large, (128, 128), interpolation=cv2.INTER_AREA).astype(np.uint8)

    both, marking, crack = saved(tmp_path, drawn(RED, ORANGE), drawn(ORANGE), drawn(RED))
    rule = rule_of([both, marking, crack], UserRule((RED,)))
    assert rule.mixed
    assert not rule.read(marking).any()
    np.testing.assert_array_equal(rule.read(both), rule.read(crack))
    assert rule.read(crack).any()


def test_a_colour_that_is_not_there_leaves_the_masks_empty_and_they_are_told(tmp_path: Path):
    paths = saved(tmp_path, painted((191, 156, 138)), painted((84, 105, 77)), painted((84, 105, 77)))
    assert counts(paths, UserRule(((84, 105, 77),))) == [0, 1, 1]
    user_rule = UserRule(((84, 105, 77),))
    assert (
        describe_colours([inspect_mask(path, user_rule) for path in paths])
        == "0 (3 masks), 84,105,77 (2 masks), 191,156,138 (1 mask)"
    )


def test_masks_that_number_classes_apart_are_refused_with_how_many_hold_which(tmp_path: Path):
    with pytest.raises(UserError, match=r"1 in 2, 2 in 1, such as .*2\.png.*--crack-colour N .*--crack-above 0"):
        rule_of(saved(tmp_path, painted(1), painted(1), painted(2), painted(0)))


@pytest.mark.parametrize("other", [1, 128])
def test_white_in_some_masks_and_another_value_in_others_is_refused(other: int, tmp_path: Path):
    with pytest.raises(UserError, match=f"{other} in 1, 255 in 1"):
        rule_of(saved(tmp_path, painted(255), painted(other)))


def test_white_is_white_at_any_depth(tmp_path: Path):
    rule = rule_of(saved(tmp_path, painted(255), painted(255).astype(np.uint16) * 257, painted(255) > 0))
    assert rule.crack == (255, 255, 255)


def test_among_masks_with_soft_edges_a_dark_one_is_refused_and_a_bright_one_is_not(tmp_path: Path):
    soft = painted(30, 200, 255, 90)
    assert rule_of(saved(tmp_path, soft, painted(250), painted(255))).crack is None
    with pytest.raises(UserError, match=r"some have soft edges.*100 in 1"):
        rule_of(saved(tmp_path, soft, painted(100)))


def test_a_mask_that_is_not_understood_is_named_with_how_many_more_there_are(tmp_path: Path):
    paths = saved(tmp_path, painted(255), painted(1, 2, 2), painted(1, 2))
    with pytest.raises(UserError, match=r"1\.png: .*values 0, 1, 2.* 1 more .*hold 0 \(3 masks\)"):
        rule_of(paths)


def test_masks_in_one_colour_each_are_read(tmp_path: Path):
    paths = saved(tmp_path, painted((191, 156, 138)), painted((84, 105, 77), (84, 105, 77)))
    assert counts(paths, UserRule()) == [1, 2]
    assert {inspect_mask(path, UserRule()).crack for path in paths} == {(191, 156, 138), (84, 105, 77)}


def test_of_jpegs_a_colour_that_is_everywhere_is_refused(tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 12, (64, 64, 3), np.uint8) * 3
    paths = saved(tmp_path, noise, suffix=".jpg")
    with pytest.raises(UserError, match="--crack-colour 5: the masks have no other colour"):
        rule_of(paths, UserRule(((5, 5, 5),)))


def test_a_mask_by_itself_is_a_data_set_of_one(tmp_path: Path):
    (path,) = saved(tmp_path, painted(1, 2, 2))
    assert read_mask(path, (2, 2, 2)).sum() == 128
    with pytest.raises(UserError, match="0, 1, 2"):
        read_mask(path)
