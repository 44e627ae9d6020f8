"""Overrides: parsed once, asked by key, kept in files."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.config.compose import load_config
from src.config.overrides import Overrides, load_overrides, rejoin_lists, save_overrides
from src.errors import UserError


def refusal(*overrides: str) -> str:
    """The sentence with which these overrides are refused."""
    with pytest.raises(UserError) as caught:
        load_config(overrides)
    return str(caught.value)


@pytest.mark.parametrize(
    ("word", "same"),
    [
        ("training/loss=bce", "training.loss=bce"),
        ("++training/epochs=3", "++training.epochs=3"),
        ("+a.b=1", "+a.b=1"),
        ("~training.loss.dice", "~training.loss.dice"),
        ("data.root=/a/b=c", "data.root=/a/b=c"),
    ],
)
def test_a_key_has_one_spelling_whatever_stands_before_it(word: str, same: str) -> None:
    (item,) = Overrides.parse([word]).items
    assert str(item) == same
    assert "/" not in item.key
    assert item.key[0] not in "+~"


def test_the_last_override_of_a_key_is_the_one_that_is_asked_for() -> None:
    overrides = Overrides.parse(["seed=1", "++seed=2", "training/loss=bce"])
    assert (overrides.get("seed"), overrides.get("training.loss"), overrides.get("training")) == ("2", "bce", None)
    assert overrides.keys == ["seed", "training.loss"]


def test_overrides_are_chosen_by_a_key_with_all_below_it() -> None:
    encoder = ["model.encoder=mit_b0", "++model.encoder.depth=4"]
    overrides = Overrides.parse(["model=architectures/unet", "models=1", *encoder])
    assert list(overrides.at("model.encoder")) == encoder
    assert list(overrides.without("model")) == ["models=1"]


@given(st.lists(st.sampled_from(["seed=1", "training.loss=bce", "training/loss=dice", "a.b=[1,2]", "~a.c", "+d=x y"])))
def test_reading_what_was_written_changes_nothing(words: list[str]) -> None:
    overrides = Overrides.parse(words)
    assert Overrides.parse(list(overrides)) == overrides
    assert len(overrides) == len(words)
    chosen, rest = overrides.at("a", "training"), overrides.without("a", "training")
    assert sorted(map(str, chosen.items + rest.items)) == sorted(overrides)


def test_a_list_that_the_shell_split_at_its_spaces_is_joined_again() -> None:
    words = ["seed=1", 'evaluation.metrics=["iou",', '"f1",', '"precision",', '"recall"]', "training.epochs=3"]
    assert rejoin_lists(words) == ["seed=1", 'evaluation.metrics=["iou", "f1", "precision", "recall"]', words[-1]]
    config = load_config(words)
    assert (config.evaluation.metrics, config.training.epochs) == (("iou", "f1", "precision", "recall"), 3)


def test_a_mapping_that_the_shell_split_is_joined_again() -> None:
    assert rejoin_lists(["a={x:", "[1,", "2]}", "b=1"]) == ["a={x: [1, 2]}", "b=1"]


def test_a_word_that_is_no_override_is_refused() -> None:
    assert "'epochs' is not an override: write key=value" in refusal("epochs")


@pytest.mark.parametrize("word", ["a=" + "[" * 3000 + "]" * 3000, "a=" + "{b: " * 3000, "x" * 10**6, "data.root=a\0b"])
def test_what_is_too_long_too_nested_or_no_text_is_one_short_sentence(word: str) -> None:
    sentence = refusal(word)
    assert "at most 10000 characters and 100 brackets" in sentence
    assert len(sentence) < 200


def test_overrides_come_back_from_their_file_as_they_were(tmp_path: Path) -> None:
    overrides = [
        "training.epochs=3",
        'evaluation.metrics=["iou", "f1"]',
        "data.root=/a b/ü",
        f"seed={10**9}",
        "x=" * 99,
    ]
    save_overrides(overrides, tmp_path / "overrides.yaml")
    assert list(load_overrides(tmp_path / "overrides.yaml")) == overrides


def test_a_yaml_argument_stands_for_the_overrides_in_it(tmp_path: Path) -> None:
    path = tmp_path / "best.yaml"
    save_overrides(["training.epochs=3", "seed=1"], path)
    assert list(Overrides.parse(["seed=0", str(path), "seed=2"])) == ["seed=0", "training.epochs=3", "seed=1", "seed=2"]
    config = load_config([str(path), "seed=2"])
    assert (config.training.epochs, config.seed) == (3, 2)


def test_a_value_that_ends_in_yaml_is_no_file() -> None:
    assert list(Overrides.parse(["data.root=some.yaml"])) == ["data.root=some.yaml"]


def test_a_file_of_overrides_may_lie_in_a_folder_of_any_name(tmp_path: Path) -> None:
    path = tmp_path / "lr=0.01 [a]" / "overrides.yaml"
    path.parent.mkdir()
    save_overrides(["training.epochs=3"], path)
    assert load_config([str(path), "seed=2"]).training.epochs == 3


@pytest.mark.parametrize("content", [b"training: 3", b"- 3", b"a: [", b"\xff\xfe\x00", b""])
def test_a_file_that_lists_no_overrides_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.yaml").write_bytes(content)
    assert "bad.yaml" in refusal(str(tmp_path / "bad.yaml"))


def test_a_missing_overrides_file_is_refused_by_name(tmp_path: Path) -> None:
    assert "none.yaml" in refusal(str(tmp_path / "none.yaml"))


def test_an_override_cannot_look_into_the_environment():
    assert "could reveal secrets" in refusal("experiment_name=${oc.env:HOME}")
