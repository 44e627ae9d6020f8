"""Folds of all photographs of a data folder."""

import csv
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.image_counts import groups_of
from analysis.retrain.folds import describe_folds, make_folds, parts_of, photographs_of, split_in_fold
from src.config.compose import load_config
from src.config.schema import SPLITS, Data
from src.data.pairs import find_pairs
from src.errors import UserError


@pytest.fixture
def data(tiny_data: Path, tmp_path: Path) -> Path:
    """20 photographs of 10 places, two of each."""
    root = tmp_path / "data"
    shutil.copytree(tiny_data, root)
    (root / "manifest.csv").unlink(missing_ok=True)
    files = [(pair.image.stem, split) for split in SPLITS for pair in find_pairs(root, split)]
    with (root / "manifest.csv").open("w", newline="") as stream:
        rows = [(name, split, f"road{number // 2}") for number, (name, split) in enumerate(files)]
        csv.writer(stream).writerows([("file", "split", "group"), *rows])
    return root


@pytest.fixture
def of(tiny: list[str]) -> Callable[[Path], Data]:
    """The configuration of a data folder."""
    return lambda root: load_config([*tiny, f"data.root={root}"]).data


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60), st.sets(st.integers(0, 30)), st.integers(3, 6))
def test_places_stay_whole_every_part_has_a_crack_and_parts_are_as_even_as_the_largest_place_allows(
    places: list[int], cracked: set[int], count: int
):
    groups, with_crack = [str(place) for place in places], {str(place) for place in cracked}
    if len(set(groups) & with_crack) < count:
        with pytest.raises(UserError, match=f"--folds={count}"):
            parts_of(groups, with_crack, count)
        return
    parts = parts_of(groups, with_crack, count)
    assert parts == parts_of(groups[::-1], with_crack, count)
    assert {parts[group] for group in groups if group in with_crack} == set(range(count))
    filled = Counter(parts[group] for group in groups)
    assert set(filled) == set(range(count))
    assert max(filled.values()) - min(filled.values()) <= max(Counter(groups).values())


@pytest.mark.parametrize("count", [3, 5])
def test_in_the_folds_every_part_is_tested_and_validated_once_and_never_in_its_own_training(count: int):
    splits = [[split_in_fold(part, fold, count) for part in range(count)] for fold in range(count)]
    for fold in splits:
        assert Counter(fold) == {"test": 1, "val": 1, "train": count - 2}
    for part in zip(*splits, strict=True):
        assert Counter(part) == {"test": 1, "val": 1, "train": count - 2}


def test_every_photograph_is_tested_once_with_its_mask_and_no_place_is_on_both_sides(
    data: Path, of: Callable[[Path], Data], tmp_path: Path
):
    folds = make_folds(of(data), 4, tmp_path / "folds")
    before = {pair.image.stem: pair for split in SPLITS for pair in find_pairs(data, split)}
    place_of = {one.name: one.group for one in photographs_of(of(data))}
    tested: list[str] = []
    for fold in folds:
        places: dict[str, set[str]] = {}
        for split in SPLITS:
            for pair in find_pairs(fold, split):
                assert pair.image.read_bytes() == before[pair.image.stem].image.read_bytes()
                assert pair.mask.read_bytes() == before[pair.image.stem].mask.read_bytes()
                assert pair.image.samefile(before[pair.image.stem].image)  # no second copy on this disk
                places.setdefault(split, set()).add(place_of[pair.image.stem])
        assert sum(map(len, places.values())) == len(set.union(*places.values()))
        stems = [pair.image.stem for pair in find_pairs(fold, "test")]
        assert set(groups_of(fold, stems)) == places["test"]
        tested += stems
    assert sorted(tested) == sorted(before)


def test_photographs_of_one_name_in_two_splits_are_two(data: Path, of: Callable[[Path], Data], tmp_path: Path):
    stem, other = (find_pairs(data, split)[0].image.stem for split in ("train", "test"))
    for kind in ("images", "masks"):
        (path,) = (data / "test" / kind).glob(f"{other}.*")
        path.rename(path.with_name(f"{stem}{path.suffix}"))
    names = [one.name for one in photographs_of(of(data))]
    assert {f"train_{stem}", f"test_{stem}"} <= set(names)
    assert len(names) == len(set(names)) == 20
    assert sum(len(find_pairs(fold, "test")) for fold in make_folds(of(data), 3, tmp_path / "folds")) == 20


def test_folds_that_are_there_stay_and_another_grouping_is_another_race(
    data: Path, of: Callable[[Path], Data], tmp_path: Path
):
    folds = make_folds(of(data), 3, tmp_path / "folds")
    before, described = (folds[0] / "manifest.csv").stat().st_mtime_ns, describe_folds(photographs_of(of(data)), 3)
    assert make_folds(of(data), 3, tmp_path / "folds") == folds
    assert (folds[0] / "manifest.csv").stat().st_mtime_ns == before
    assert describe_folds(photographs_of(of(data)), 3) == described != describe_folds(photographs_of(of(data)), 4)
    (data / "manifest.csv").unlink()  # every photograph is a place of its own
    assert describe_folds(photographs_of(of(data)), 3) != described


def test_folds_that_were_left_by_another_attempt_are_not_taken_for_these(
    data: Path, of: Callable[[Path], Data], tmp_path: Path
):
    make_folds(of(data), 5, tmp_path / "folds")
    folds = make_folds(of(data), 3, tmp_path / "folds")
    assert sum(len(find_pairs(fold, "test")) for fold in folds) == 20
    gone = find_pairs(data, "train")[0]
    gone.image.unlink()
    gone.mask.unlink()
    folds = make_folds(of(data), 3, tmp_path / "folds")
    assert sum(len(find_pairs(fold, "test")) for fold in folds) == 19


def test_a_folder_that_cannot_be_written_leaves_nothing(data: Path, of: Callable[[Path], Data], tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file"):
        make_folds(of(data), 3, tmp_path / "file" / "folds")
