"""Questions to nodes; that a node answers is in test_cluster.py."""

from typing import Any, cast

import pytest
from ray.exceptions import GetTimeoutError, RayError, RayTaskError

from sweeps.cluster.questions import Asked, NoAnswer, ask_all
from trainable.resources import Node

NODES = {name: Node(name, f"10.0.0.{number}", name, 4) for number, name in enumerate(("one", "two"), start=7)}


def answer(monkeypatch: pytest.MonkeyPatch, answers: dict[str, Any]) -> None:
    """Let each node answer so; an exception is raised."""

    def ask(node: Node, question: Any, *arguments: Any, cards: int) -> Asked:
        return Asked(node, answers[node.id])

    def get(found: Any, timeout: float) -> Any:
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr("sweeps.cluster.questions.ask", ask)
    monkeypatch.setattr("ray.get", get)


def test_answers_and_failures_are_told_by_node(monkeypatch: pytest.MonkeyPatch):
    missing = "ModuleNotFoundError: No module named 'trainable'"
    answer(monkeypatch, {"one": 5, "two": RayTaskError("ask", f"Traceback:\n{missing}", ImportError(missing))})
    answers, failed = ask_all(NODES, len, "", cards={})
    assert answers == {"one": 5}
    assert list(failed) == ["two"]
    for word in ("two (10.0.0.8): ", "No module named 'trainable'", "same path"):
        assert word in failed["two"]


@pytest.mark.parametrize(
    ("error", "words"), [(GetTimeoutError(), "no answer within"), (RayError("it died"), "it died")]
)
def test_a_node_without_an_answer_is_named(monkeypatch: pytest.MonkeyPatch, error: Exception, words: str):
    answer(monkeypatch, {})
    with pytest.raises(NoAnswer, match=rf"one \(10\.0\.0\.7\): .*{words}"):
        Asked(NODES["one"], cast(Any, error)).get(1.0)
