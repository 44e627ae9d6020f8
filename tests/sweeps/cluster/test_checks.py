"""What a node of a cluster may not lack, and the sentence for each thing."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from src.cards import Card
from sweeps.cluster.checks import Here, lacking_weights, problems, unusable_cards
from trainable.node_report import NodeReport
from trainable.resources import Node, Resources

NODE = Node("a1", "10.0.0.7", "node7", cores=4)
HERE = Here(
    lock=Path("/shared/sweeps/.mine.lock"),
    lock_text='{"pid": 7}',
    python="3.12.1",
    packages={"torch": "2.15.0", "ray": "2.60.0"},
    code={"src/cards.py": "aa", "trainable/trial.py": "bb"},
    data={"train": "f00d", "val": "cafe", "test": "beef"},
)
GOOD = NodeReport(
    free_mib=8000,
    python=HERE.python,
    packages={**HERE.packages},
    code={**HERE.code},
    lock_text=HERE.lock_text,
    not_writable="",
    lock_is_free=False,
    data={**HERE.data},
    weights={},
)
RESOURCES = Resources(trials_at_once=2, cores_per_trial=2, nodes=(NODE,))


def test_a_node_with_everything_has_no_problem():
    assert not problems(NODE, GOOD, HERE, RESOURCES)


@pytest.mark.parametrize(
    ("lacks", "words"),
    [
        ({"lock_text": ""}, ["/shared/sweeps", "output_root"]),
        ({"lock_text": '{"pid": 8}'}, ["/shared/sweeps"]),
        ({"not_writable": "/shared/sweeps: Permission denied"}, ["/shared/sweeps: Permission denied"]),
        ({"python": "3.12.0"}, ["3.12.0", "3.12.1"]),
        ({"packages": {"torch": "2.14.0", "ray": "2.60.0"}}, ["torch 2.14.0", "2.15.0"]),
        ({"packages": {"ray": "2.60.0"}}, ["torch missing"]),
        ({"code": {"src/cards.py": "aa", "trainable/trial.py": "xx"}}, ["trainable/trial.py"]),
        ({"code": {}}, ["src/cards.py and 1 more"]),
        ({"data": {"train": "f00d", "val": "dead", "test": "beef"}}, ["other images", "val", "data.root"]),
        ({"data": {"train": "No such folder: /data/train", "val": "cafe", "test": "beef"}}, ["No such folder: /data"]),
        ({"free_mib": 1500}, ["1500", "2048", "--trials-at-once"]),
    ],
)
def test_what_a_node_lacks_is_one_sentence_that_names_it(lacks: dict[str, Any], words: list[str]):
    (sentence,) = problems(NODE, replace(GOOD, **lacks), HERE, RESOURCES)
    assert sentence.startswith("node7 (10.0.0.7): ")
    for word in words:
        assert word in sentence


def test_all_that_a_node_lacks_is_said_at_once():
    assert len(problems(NODE, replace(GOOD, lock_text="", python="3.11.0", free_mib=10), HERE, RESOURCES)) == 3


def test_weights_that_another_node_has_may_not_be_missing():
    known = {"unet resnet18": True, "unet resnet34": True}
    assert not lacking_weights(NODE, replace(GOOD, weights=known), known)
    (sentence,) = lacking_weights(NODE, replace(GOOD, weights={"unet resnet18": True, "unet resnet34": False}), known)
    assert "unet resnet34" in sentence
    assert "resnet18" not in sentence


CARD = Card("a card", memory_mib=8000, free_mib=7000, context_mib=400)


@pytest.mark.parametrize(
    ("cards", "words"),
    [
        ((CARD, CARD), []),
        ("the driver is too old", ["node7 (10.0.0.7): the driver is too old"]),
        ((CARD,), ["2 graphics cards", "finds 1", "--num-gpus=1"]),
        ((CARD, replace(CARD, free_mib=6500)), []),  # a little is in use at the moment
        ((CARD, replace(CARD, free_mib=3000)), ["2744", "6000"]),
    ],
)
def test_cards_must_be_as_many_and_as_large_as_planned(cards: tuple[Card, ...] | str, words: list[str]):
    sentences = unusable_cards(NODE, cards, asked=2, share_mib=6000, beside=1)
    assert len(sentences) == bool(words)
    for word in words:
        assert word in sentences[0]
