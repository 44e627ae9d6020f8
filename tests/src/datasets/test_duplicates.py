"""Photographs that show the same place."""

import csv

import numpy as np
import pytest
from checkout import SHARED

from benchmarks.same_place import UNNAMED
from src.data.files import read_image
from src.datasets.duplicates import DuplicatePair, find_duplicates, grey_of, label_groups, without_weak_chains
from tests.src.datasets.test_alike import road

DATA = SHARED / "data"
OTHERS = [road(seed) for seed in range(1, 6)]


def test_kin_of_kin_are_one_group():
    assert label_groups([DuplicatePair(0, 2, "touch"), DuplicatePair(2, 4, "overlap")], 5) == [0, 1, 0, 2, 0]
    assert label_groups([], 3) == [0, 1, 2]


def test_each_kind_is_found_and_named():
    large = road(0, 400)
    left, right = large[:200, :200], large[:200, 200:]
    found = find_duplicates([left, *OTHERS, right, large[50:250, 60:260]])
    assert {(pair.one, pair.other): pair.reason for pair in found} == {
        (0, 6): "touch",
        (0, 7): "overlap",
        (6, 7): "overlap",
    }
    assert find_duplicates([left, *OTHERS, left.copy()]) == [DuplicatePair(0, 6, "the same picture")]


def test_every_order_of_the_pictures_gives_the_same_pairs():
    large = road(0, 400)
    pictures = [large[:200, :200], large[60:260, 60:260], large[:200, 200:], road(7), np.fliplr(road(7)), *OTHERS]
    base = {(pair.one, pair.other, pair.reason, pair.z_score) for pair in find_duplicates(pictures)}
    assert {why for _, _, why, _ in base} == {"the same picture", "overlap", "touch"}
    random = np.random.default_rng(0)
    for _ in range(3):
        order = [int(index) for index in random.permutation(len(pictures))]
        found = find_duplicates([pictures[index] for index in order])
        assert {(*sorted((order[pair.one], order[pair.other])), pair.reason, pair.z_score) for pair in found} == base


def test_a_group_never_grows_by_one_weak_link():
    strong = [DuplicatePair(0, 1, "overlap", 20.0), DuplicatePair(2, 3, "overlap", 20.0)]
    assert without_weak_chains([*strong, DuplicatePair(1, 2, "touch", 6.5)], 6) == strong
    assert without_weak_chains([*strong, DuplicatePair(1, 4, "touch", 6.5)], 6) == strong
    chain = [DuplicatePair(one, one + 1, "touch", 6.5) for one in range(5)]
    assert without_weak_chains(chain, 6) == []


def test_two_weak_links_between_the_same_groups_and_one_of_two_single_photographs_count():
    strong = [DuplicatePair(0, 1, "overlap", 20.0), DuplicatePair(2, 3, "overlap", 20.0)]
    weak = [DuplicatePair(1, 2, "touch", 6.5), DuplicatePair(0, 3, "touch", 6.5)]
    assert without_weak_chains([*strong, *weak], 6) == [*strong, *weak]
    single = [*strong, DuplicatePair(4, 5, "touch", 6.5)]
    assert without_weak_chains(single, 6) == single
    within = [*strong, DuplicatePair(0, 4, "overlap", 9.0), DuplicatePair(1, 4, "touch", 6.5)]
    assert without_weak_chains(within, 6) == within


def test_one_photograph_and_none_have_no_kin():
    assert find_duplicates([]) == find_duplicates([road(0)]) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "folder", "column", "recall"),
    [("crack500_tiles", "images", "scene", 0.2), ("cfd", "image", "group", 0.7), ("sut", "images", "group", 0.6)],
)
def test_what_is_found_in_real_photographs_is_right(name: str, folder: str, column: str, recall: float):
    """Nothing is wrong; how much is found depends on how much of a place two photographs share."""
    if not (DATA / name).is_dir():
        pytest.skip(f"shared/data/{name} is not beside this checkout")
    with (DATA / name / "groups.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if (DATA / name / folder / row["file"]).is_file()]
    greys = [grey_of(read_image(DATA / name / folder / row["file"])) for row in rows]
    kin = find_duplicates(greys)
    files = [row["file"] for row in rows]
    unnamed = {frozenset(pair) for pair in UNNAMED.get(name, ())}
    assert all(
        rows[pair.one][column] == rows[pair.other][column] or {files[pair.one], files[pair.other]} in unnamed
        for pair in kin
    )
    labels = label_groups(kin, len(rows))
    true = [
        (one, other) for one in range(len(rows)) for other in range(one) if rows[one][column] == rows[other][column]
    ]
    assert sum(labels[one] == labels[other] for one, other in true) / len(true) > recall
