"""How sure a score is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.intervals import Float64Array, Interval, Scored, interval, interval_over_images

RANDOM = np.random.default_rng(0)


def scored(seeds: int = 5, images: int = 12, per_group: int = 1, sd: float = 0.05) -> Scored:
    unions = RANDOM.uniform(100, 1000, images)
    quality = 0.6 + RANDOM.normal(0, sd, (seeds, 1)) + RANDOM.normal(0, 0.1, images)
    parts = np.stack([quality * unions, np.broadcast_to(unions, quality.shape)], axis=-1)
    return Scored(parts, [str(image // per_group) for image in range(images)])


def test_a_score_is_the_ratio_of_sums_over_the_images():
    parts: Float64Array = np.array([[[1.0, 2.0], [1.0, 8.0]], [[2.0, 2.0], [8.0, 8.0]]])
    assert Scored(parts, ["a", "b"]).scores.tolist() == [0.2, 1.0]
    assert Scored(parts, ["a", "b"]).without_a_group.tolist() == [(1 / 8 + 1) / 2, (1 / 2 + 1) / 2]


def test_nothing_of_nothing_is_a_perfect_score():
    assert Scored(np.zeros((1, 2, 2)), ["a", "b"]).scores.tolist() == [1.0]


def test_with_many_images_it_is_the_t_interval_of_the_seeds():
    parts = np.array([[[value, 1.0]] * 4 for value in (0.5, 0.6, 0.7)])  # the images are all the same
    found = interval(Scored(parts, list("abcd")))
    assert found.mean == pytest.approx(0.6)
    assert found.sd == pytest.approx(0.1)
    assert found.images_sd == pytest.approx(0.0)
    assert found.high - found.mean == pytest.approx(4.3027 * 0.1 / 3**0.5, rel=1e-4)


def test_with_equal_seeds_it_is_the_t_interval_of_the_images():
    values = [0.2, 0.4, 0.6, 0.8]
    parts = np.array([[[value, 1.0] for value in values]] * 3)
    found = interval(Scored(parts, list("abcd")))
    assert found.images_sd == pytest.approx(np.std(values, ddof=1) / 2)
    assert found.high - found.mean == pytest.approx(3.1824 * np.std(values, ddof=1) / 2, rel=1e-4)


def test_tiles_of_one_photograph_count_as_one_image():
    alone = scored(images=12)
    tiles = Scored(np.repeat(alone.parts, 4, axis=1), [str(tile // 4) for tile in range(48)])
    one, many = interval(alone), interval(tiles)
    assert (many.mean, many.low, many.high) == pytest.approx((one.mean, one.low, one.high))
    careless = interval(Scored(tiles.parts, [str(tile) for tile in range(48)]))
    assert careless.half_width() < 0.8 * many.half_width()


def test_what_two_have_in_common_cancels_in_their_difference():
    one = scored()
    better = Scored(one.parts + np.array([0.02, 0.0]) * one.parts[..., 1:], one.groups)
    found = interval(better, one)
    assert found.mean == pytest.approx(0.02)
    assert found.half_width() < 1e-6
    assert interval(one).half_width() > 0.01
    assert interval(one, one).half_width() == 0.0


def test_one_seed_or_one_group_has_no_interval():
    assert np.isnan(interval(scored(seeds=1)).low)
    assert np.isnan(interval(scored(per_group=12)).low)


def test_the_seeds_needed_are_the_first_number_that_tells_the_difference_from_none():
    found = Interval(mean=0.02, seeds=5, sd=0.03, groups=30, images_sd=0.002)
    needed = found.seeds_needed
    assert needed
    assert found.half_width(needed) < 0.02 <= found.half_width(needed - 1)
    assert Interval(mean=0.02, seeds=5, sd=0.03, groups=30, images_sd=0.02).seeds_needed is None


@given(seeds=st.integers(2, 6), images=st.integers(2, 20), per_group=st.integers(1, 3))
def test_a_difference_turned_around_has_the_interval_turned_around(seeds: int, images: int, per_group: int):
    one, other = scored(seeds, images), scored(seeds, images)
    there, back = interval(one, other), interval(other, one)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), nan_ok=True)


def test_two_given_networks_differ_by_chance_of_the_images_alone():
    one, other = scored(seeds=1), scored(seeds=1)
    found = interval_over_images(one, other)
    assert found.is_defined
    assert found.mean == pytest.approx(one.scores[0] - other.scores[0])
    assert found.high - found.mean == pytest.approx(2.20099 * found.images_sd, rel=1e-4)  # t of 11
    assert found.images_sd == interval(one, other).images_sd
    assert not interval(one, other).is_defined


@pytest.mark.parametrize("seeds", [1, 3])
def test_with_folds_the_interval_is_that_of_leaving_out_a_fold_whatever_the_number_of_seeds(seeds: int):
    parts, folds = scored(seeds=seeds, images=20).parts, [str(image % 5) for image in range(20)]
    found = interval(Scored(parts, folds, by_fold=True))
    assert (found.is_defined, found.sd, found.groups, found.seeds) == (True, 0.0, 5, seeds)
    assert found.images_sd == interval(Scored(parts, folds)).images_sd
    assert found.high - found.mean == pytest.approx(2.776445 * found.images_sd, rel=1e-4)  # t of 4
    assert found.seeds_needed is None or abs(found.mean) > found.half_width()
