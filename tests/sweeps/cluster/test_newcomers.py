"""Nodes that join while a sweep runs; on a real cluster in test_cluster.py."""

from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from src.cards import Card
from src.errors import UserError
from sweeps.cluster.newcomers import MOST_FAILURES, Expected, Newcomer, Newcomers
from sweeps.cluster.questions import Asked, NoAnswer
from tests.sweeps.cluster.test_checks import GOOD, HERE
from trainable.node_report import Question
from trainable.resources import Node, Resources

NODE = Node("a1", "10.0.0.7", "node7", cores=4)
CARD = Card("a card", memory_mib=8000, free_mib=7000, context_mib=400)


@dataclass(frozen=True)
class Answer:
    """What ``Asked`` is after the answer has come."""

    node: Node
    answer: Any
    ready: bool = True
    late: bool = False

    def get(self, seconds: float) -> Any:
        if isinstance(self.answer, str):
            raise (NoAnswer if "no answer" in self.answer else UserError)(f"{self.node}: {self.answer}")
        return self.answer


def newcomers(resources: Resources, cards: Answer, report: Answer, gpus: int = 0) -> Newcomers:
    found = Newcomers(Expected(HERE, cast(Question, None), {}), resources, "auto")
    found.asked[NODE.id] = Newcomer(gpus, cast(Asked, cards), cast(Asked, report))
    return found


ON_CORES = Resources(trials_at_once=2, cores_per_trial=2)
ON_CARDS = Resources(trials_at_once=2, cores_per_trial=2, cards=(CARD, CARD))


def test_a_node_that_lacks_nothing_is_used():
    assert newcomers(ON_CORES, Answer(NODE, ()), Answer(NODE, GOOD)).judge([NODE.id]) == ([NODE], [])
    with_card = replace(NODE, cards=(CARD,))
    assert newcomers(ON_CARDS, Answer(NODE, (CARD,)), Answer(NODE, GOOD), gpus=1).judge([NODE.id]) == ([with_card], [])


@pytest.mark.parametrize(
    ("resources", "cards", "report", "words"),
    [
        (ON_CORES, (), replace(GOOD, lock_text=""), "not the same folder"),
        (ON_CORES, (), "ValueError: broken", "broken"),
        (replace(ON_CORES, cores_per_trial=8), (), GOOD, "needs 8 cores, and the node has 4"),
        (ON_CARDS, (), GOOD, "needs a graphics card"),
    ],
)
def test_a_node_that_lacks_something_is_named_once(resources: Resources, cards: Any, report: Any, words: str):
    found = newcomers(resources, Answer(NODE, cards), Answer(NODE, report))
    passed, (sentence,) = found.judge([NODE.id])
    assert not passed
    assert sentence.startswith("Not used: node7 (10.0.0.7): ")
    assert words in sentence
    assert found.refused == {NODE.id}
    assert found.judge([NODE.id]) == ([], [])


def test_an_answer_is_waited_for_but_not_for_ever():
    waiting = newcomers(ON_CORES, Answer(NODE, ()), Answer(NODE, GOOD, ready=False))
    assert waiting.judge([NODE.id]) == ([], [])
    assert NODE.id in waiting.asked
    late = newcomers(ON_CORES, Answer(NODE, ()), Answer(NODE, "gives no answer", ready=False, late=True))
    one = late.asked[NODE.id]
    for _ in range(MOST_FAILURES - 1):
        assert late.judge([NODE.id]) == ([], [])
        assert not late.asked  # so it is asked again at the next look
        late.asked[NODE.id] = one
    assert "gives no answer" in late.judge([NODE.id])[1][0]
    assert late.refused == {NODE.id}


def test_a_node_that_is_gone_before_it_has_answered_is_forgotten():
    found = newcomers(ON_CORES, Answer(NODE, ()), Answer(NODE, GOOD, ready=False))
    assert found.judge([]) == ([], [])
    assert not found.asked
    assert not found.refused
