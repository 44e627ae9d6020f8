"""What belongs together, and splits that keep it so."""

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.config.schema import SPLITS
from src.datasets.groups import (
    GroupingOptions,
    by_pattern,
    by_pixels,
    choose_groups,
    choose_splits,
    read_groups,
    split_groups,
)
from src.datasets.sources import Source
from src.errors import UserError

DEFAULT = (0.7, 0.15, 0.15)

group_tables = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=4), st.sampled_from("uvwxyz"), min_size=1)
share_triples = st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(1, 20)).map(
    lambda parts: tuple(part / sum(parts) for part in parts)
)


def splittable(groups: dict[str, str], shares: tuple[float, ...]) -> bool:
    return len(set(groups.values())) >= sum(share > 0 for share in shares)


@given(group_tables, share_triples, st.integers(0, 9))
def test_every_file_gets_a_split_and_no_group_spans_two(groups: dict[str, str], shares: tuple[float, ...], seed: int):
    if not splittable(groups, shares):
        with pytest.raises(UserError, match=f"{len(set(groups.values()))} groups"):
            split_groups(groups, shares, seed)
        return
    split = split_groups(groups, shares, seed)
    assert split.keys() == groups.keys()
    assert len({(groups[file], split[file]) for file in groups}) == len(set(groups.values()))
    assert set(split.values()) == {name for name, share in zip(SPLITS, shares, strict=True) if share > 0}


@given(group_tables, share_triples, st.integers(0, 9), st.randoms())
def test_the_split_depends_on_the_seed_and_not_on_the_order(groups, shares, seed, random):
    if splittable(groups, shares):
        files = list(groups)
        random.shuffle(files)
        assert split_groups({file: groups[file] for file in files}, shares, seed) == split_groups(groups, shares, seed)


@settings(max_examples=150)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=25), share_triples, st.integers(0, 9))
def test_counts_miss_their_share_by_less_than_the_largest_group(sizes: list[int], shares: tuple[float, ...], seed: int):
    groups = {f"{group}_{file}": str(group) for group, size in enumerate(sizes) for file in range(size)}
    if not splittable(groups, shares):
        return
    counts = Counter(split_groups(groups, shares, seed).values())
    targets = [share * len(groups) for share in shares]
    miss = max(abs(counts[split] - target) for split, target in zip(SPLITS, targets, strict=True))
    # a share worth less than one group still gets one, and the others may be short by two
    fits = min(target for target in targets if target > 0) >= max(sizes)
    assert miss < (1 if fits else 2) * max(sizes) + 1e-9


@settings(max_examples=300)
@given(st.lists(st.integers(1, 8), min_size=3, max_size=60), share_triples, st.integers(0, 9), st.data())
def test_a_file_that_is_left_out_moves_one_other_group_at_each_cut_at_most(
    sizes: list[int], shares: tuple[float, ...], seed: int, data: st.DataObject
):
    groups = {f"{group}_{file}": str(group) for group, size in enumerate(sizes) for file in range(size)}
    gone = data.draw(st.sampled_from(sorted(groups)))
    left = {file: group for file, group in groups.items() if file != gone}
    smallest = min(share for share in shares if share > 0)
    if smallest * len(left) < max(sizes) or not splittable(left, shares):
        return  # few groups, or such as do not fit: promised is less
    before, after = split_groups(groups, shares, seed), split_groups(left, shares, seed)
    assert len({groups[file] for file in left if before[file] != after[file]}) <= 2


def test_leaving_out_each_of_a_hundred_photographs_in_turn_moves_hardly_any_other():
    groups = {f"p{file}": f"p{file}" for file in range(100)}
    before = split_groups(groups, DEFAULT, 42)
    moved: list[int] = []
    for gone in groups:
        after = split_groups({file: group for file, group in groups.items() if file != gone}, DEFAULT, 42)
        moved.append(sum(before[file] != split for file, split in after.items()))
    assert max(moved) <= 2
    assert sum(moved) < 100


def test_groups_larger_than_the_smallest_share_go_to_the_largest():
    groups = {
        f"{group}_{file}": group
        for group, size in {"big": 50, **{str(n): 1 for n in range(50)}}.items()
        for file in range(size)
    }
    for seed in range(10):
        split = split_groups(groups, DEFAULT, seed)
        assert split["big_0"] == "train"
        assert 13 <= Counter(split.values())["val"] <= 17


def test_another_seed_gives_another_split():
    groups = {str(file): str(file) for file in range(40)}
    assert split_groups(groups, DEFAULT, 1) != split_groups(groups, DEFAULT, 2)


@pytest.mark.parametrize("shares", [(0.7, 0.2, 0.2), (1.2, -0.1, -0.1), (0.5, 0.5), (float("nan"), 0.5, 0.5)])
def test_shares_that_are_no_shares_are_refused(shares: tuple[float, ...]):
    with pytest.raises(UserError, match="sum"):
        split_groups({"a": "1", "b": "2", "c": "3"}, shares, 42)


def sources(*splits: str) -> dict[str, Source]:
    return {f"f{number}": Source(Path(f"f{number}.jpg"), Path("m.png"), split) for number, split in enumerate(splits)}


def alone(found: dict[str, Source]) -> dict[str, str]:
    return {name: name for name in found}


def test_a_data_sets_own_splits_are_kept_unless_new_ones_are_asked_for():
    found = sources(*["train"] * 6, *["val"] * 2, *["test"] * 2)
    own = {name: source.split for name, source in found.items()}
    assert choose_splits(found, alone(found), DEFAULT, 1, anew=False) == own
    assert choose_splits(found, alone(found), DEFAULT, 1, anew=True) != own


def test_a_split_that_is_lacking_is_taken_from_training_by_group(capsys: pytest.CaptureFixture[str]):
    found = sources(*["train"] * 20, *["test"] * 5)
    groups = {name: str(number // 2) for number, name in enumerate(found)}
    splits = choose_splits(found, groups, DEFAULT, 1, anew=False)
    assert "The data set has no val split: taken from its training split" in capsys.readouterr().out
    counts = Counter(splits.values())
    assert (counts["test"], counts["val"], counts["train"]) == (5, 4, 16)
    of_training = [name for name in found if found[name].split == "train"]
    assert len({(groups[name], splits[name]) for name in of_training}) == 10


def test_a_place_in_several_of_its_own_splits_is_a_warning(capsys: pytest.CaptureFixture[str]):
    found = sources("train", "val", "test", "train")
    groups = {"f0": "road", "f1": "road", "f2": "x", "f3": "y"}
    choose_splits(found, groups, DEFAULT, 1, anew=False)
    assert "Warning: 1 groups are in several of the data set's own splits, road" in capsys.readouterr().out


def test_a_pattern_says_what_belongs_together():
    found = {name: Source(Path(f"{name}.jpg"), Path("m.png")) for name in ("road7_1", "road7_2", "road8_1")}
    assert by_pattern(found, Path(), r"(road\d+)_") == {"road7_1": "road7", "road7_2": "road7", "road8_1": "road8"}
    assert by_pattern(found, Path(), r"road\d") == {"road7_1": "road7", "road7_2": "road7", "road8_1": "road8"}
    with pytest.raises(UserError, match=r"--group-pattern x\\d does not match road7_1\.jpg"):
        by_pattern(found, Path(), r"x\d")
    with pytest.raises(UserError, match="--group-pattern"):
        by_pattern(found, Path(), "(")


@pytest.fixture
def in_folders() -> dict[str, Source]:
    """Photographs of one name in several folders below ``data``."""
    folders = {"1": "images", "wet-1": "images/wet", "dry-1": "images/dry", "dry-2": "images/dry"}
    return {name: Source(Path("data", folder, f"{name[-1]}.jpg"), Path("m.png")) for name, folder in folders.items()}


def test_a_pattern_with_a_slash_is_looked_for_in_the_path(in_folders: dict[str, Source]):
    assert by_pattern(in_folders, Path("data"), r"(\w+)/\d") == {
        "1": "images",
        "wet-1": "wet",
        "dry-1": "dry",
        "dry-2": "dry",
    }
    assert by_pattern(in_folders, Path("data"), r"\w") == {"1": "1", "wet-1": "1", "dry-1": "1", "dry-2": "2"}
    with pytest.raises(UserError, match=r"does not match images/1\.jpg\."):
        by_pattern(in_folders, Path("data"), "wet/|dry/")


@pytest.mark.parametrize("wet", ["wet/1.jpg", "wet/1", "images/wet/1.jpg", "images\\wet\\1.jpg"])
def test_a_table_of_groups_names_photographs_in_folders_by_their_path(
    wet: str, in_folders: dict[str, Source], tmp_path: Path
):
    table = tmp_path / "groups.csv"
    table.write_text(f"file,road\n{wet},a\ndry/1,b\nimages/1.jpg,c\n2.jpg,d\n")
    found = choose_groups(in_folders, Path("data"), GroupingOptions(table))
    assert found == {"1": "c", "wet-1": "a", "dry-1": "b", "dry-2": "d"}


def test_an_accent_in_a_table_is_the_same_however_it_is_stored(tmp_path: Path):
    (tmp_path / "groups.csv").write_text("file,road\n\u00e9.jpg,a\n", encoding="utf-8")
    found = {"x": Source(tmp_path / "e\u0301.jpg", Path("m.png"))}
    assert choose_groups(found, tmp_path, GroupingOptions()) == {"x": "a"}


def test_a_line_that_could_name_two_photographs_is_refused(in_folders: dict[str, Source], tmp_path: Path):
    table = tmp_path / "groups.csv"
    table.write_text("file,road\n1.jpg,a\n2.jpg,d\n")
    with pytest.raises(UserError, match=r"1\.jpg could be images/1\.jpg or images/wet/1\.jpg"):
        choose_groups(in_folders, Path("data"), GroupingOptions(table))
    table.write_text("file,road\n1.jpg,a\nwet/1,b\n")
    with pytest.raises(UserError, match=r"no group for images/dry/2\.jpg"):
        choose_groups(in_folders, Path("data"), GroupingOptions(table))


def test_empty_columns_at_the_end_of_a_table_are_none(tmp_path: Path):
    (tmp_path / "groups.csv").write_text("file,road,,\na.jpg,7,,\n")
    assert read_groups(tmp_path / "groups.csv", None) == {"a.jpg": "7"}


def test_photographs_that_touch_are_found_to_belong_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    large = np.random.default_rng(0).integers(0, 256, (200, 400), dtype=np.uint8)
    soft = cv2.GaussianBlur(large, (0, 0), 1.0)
    other = np.random.default_rng(1).integers(0, 256, (200, 200), dtype=np.uint8)
    found: dict[str, Source] = {}
    for name, picture in {"left": soft[:, :200], "right": soft[:, 200:], "other": other}.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
        found[name] = Source(tmp_path / f"{name}.png", Path("m.png"))
    assert by_pixels(found) == {"left": "left", "right": "left", "other": "other"}
    assert "1 pairs of photographs show one place (1 touch), which makes 2 groups of 3" in capsys.readouterr().out


def test_a_pattern_whose_bracket_matches_nothing_names_the_photograph():
    sources = {name: Source(Path(f"{name}.png"), Path(f"{name}_mask.png")) for name in ("road1_a", "_b")}
    with pytest.raises(UserError, match=r"does not match _b\.png"):
        by_pattern(sources, Path(), r"(road\d+)?_")


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("begin", ["", "\ufeff", "sep={mark}\n", "\ufeffsep={mark}\n"])
def test_a_table_of_groups_may_be_divided_as_spreadsheets_do(mark: str, begin: str, tmp_path: Path):
    lines = [mark.join(row) for row in (("file", "road; name, a", "road"), ("a.jpg", "x", "7"), ("b.jpg", "y", "7"))]
    lines[0] = mark.join(("file", '"road; name, a"', "road"))
    (tmp_path / "groups.csv").write_text(begin.format(mark=mark) + "\n".join(lines) + "\n")
    assert read_groups(tmp_path / "groups.csv", None) == {"a.jpg": "7", "b.jpg": "7"}
    assert read_groups(tmp_path / "groups.csv", "road; name, a") == {"a.jpg": "x", "b.jpg": "y"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file;road;road\na;1;2\n", "2 columns named 'road'"),
        ("file,file,road\na,b,2\n", "2 columns named 'file'"),
        ("name;road\na;1\n", r"Unknown column of .*groups\.csv 'file'.*Legal: name, road"),
        ("", "Unknown column"),
        ("file\na\n", "Unknown column"),
    ],
)
def test_a_table_of_groups_that_says_two_things_or_none_is_refused(text: str, words: str, tmp_path: Path):
    (tmp_path / "groups.csv").write_text(text)
    with pytest.raises(UserError, match=words):
        read_groups(tmp_path / "groups.csv", None)


@pytest.fixture
def touching(tmp_path: Path) -> dict[str, Source]:
    """``b1`` and ``c1`` touch; ``a1`` and ``c2`` are other places."""
    random = np.random.default_rng(0)
    large, *others = (
        cv2.GaussianBlur(random.integers(0, 256, (200, width), dtype=np.uint8), (0, 0), 1.0)
        for width in (400, 200, 200)
    )
    pictures = {"a1": others[0], "b1": large[:, :200], "c1": large[:, 200:], "c2": others[1]}
    for name, picture in pictures.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
    return {name: Source(tmp_path / f"{name}.png", Path("m.png")) for name in pictures}


def test_what_a_pattern_and_what_the_pixels_put_together_is_one_group(touching: dict[str, Source], tmp_path: Path):
    assert choose_groups(touching, tmp_path, GroupingOptions(pattern="^.")) == {
        "a1": "a",
        "b1": "b",
        "c1": "c",
        "c2": "c",
    }
    both = choose_groups(touching, tmp_path, GroupingOptions(pattern="^.", find=True))
    assert both == {"a1": "a", "b1": "b", "c1": "b", "c2": "b"}


def test_what_a_table_and_what_the_pixels_put_together_is_one_group(touching: dict[str, Source], tmp_path: Path):
    (tmp_path / "groups.csv").write_text("file;road\n" + "".join(f"{name};{name[0]}\n" for name in touching))
    both = choose_groups(touching, tmp_path, GroupingOptions(find=True))
    assert both == {"a1": "a", "b1": "b", "c1": "b", "c2": "b"}


def test_a_group_that_is_found_keeps_its_name_unless_the_one_it_is_named_for_is_left_out(touching: dict[str, Source]):
    assert by_pixels(touching) == {"a1": "a1", "b1": "b1", "c1": "b1", "c2": "c2"}
    backwards = dict(reversed(touching.items()))
    assert by_pixels(backwards) == by_pixels(touching)
    del touching["a1"]
    assert by_pixels(touching) == {"b1": "b1", "c1": "b1", "c2": "c2"}
