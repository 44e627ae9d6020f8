"""Made-up pictures: what looks related and is not, and pieces of one picture."""

import cv2
import numpy as np

from benchmarks.made_places import RELATED, SIDE, UNRELATED, asphalt, height, piece


def test_asphalt_is_another_one_each_time_and_the_same_by_its_seed():
    random = np.random.default_rng(0)
    one, other = asphalt(random), asphalt(random)
    np.testing.assert_array_equal(one, asphalt(np.random.default_rng(0)))
    assert one.shape == (2 * SIDE, 2 * SIDE)
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.05


def test_each_change_but_none_changes_a_picture_and_leaves_what_it_was_given():
    grey = piece(asphalt(np.random.default_rng(0)), 0, 0)
    before = grey.copy()
    changed = {name: change(grey, np.random.default_rng(1)) for name, change in UNRELATED.items()}
    np.testing.assert_array_equal(grey, before)
    assert [name for name, one in changed.items() if np.array_equal(one, grey)] == ["plain"]
    assert {one.shape for one in changed.values()} == {(SIDE, SIDE)}


def test_lines_of_few_pictures_lie_at_one_height():
    random = np.random.default_rng(0)
    found = [height(random) for _ in range(200)]
    assert len(set(found)) == 8
    assert 20 <= min(found) < max(found) <= SIDE - 80


def test_tiles_that_touch_go_on_where_they_were_cut_and_copies_are_mirrored():
    grey = asphalt(np.random.default_rng(0))
    left, right = RELATED["tiles that touch"](grey)
    np.testing.assert_array_equal(np.hstack([left, right]), grey[:SIDE])
    one, mirrored = RELATED["mirrored"](grey)
    assert np.corrcoef(one.ravel(), cv2.flip(mirrored, 1).ravel())[0, 1] > 0.9
