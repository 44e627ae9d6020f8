"""Nodes that join a cluster while a sweep runs: each is asked, and used if it lacks nothing."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from src.errors import UserError
from sweeps.cluster.checks import Here, lacking_weights, problems, raise_if_any, unusable_cards
from sweeps.cluster.questions import Asked, NoAnswer, ask
from trainable.node_report import Question, look_for_cards, report_node
from trainable.resources import Node, Resources

MOST_FAILURES = 3
"""A node that gave no answer so many times is not used."""


@dataclass(frozen=True)
class Expected:
    """What a node is asked, and what its answers are compared with."""

    here: Here
    question: Question
    weights: Mapping[str, bool]
    """Pretrained weights that the first nodes have."""


@dataclass(frozen=True)
class Newcomer:
    """A node that has been asked."""

    gpus: int
    """Graphics cards that Ray has there."""
    cards: Asked
    report: Asked


class Newcomers:
    """Asks nodes without waiting for their answers."""

    def __init__(self, expected: Expected, resources: Resources, device: str) -> None:
        self.expected, self.resources, self.device = expected, resources, device
        self.asked: dict[str, Newcomer] = {}
        self.refused = set[str]()
        """Ids of nodes that cannot be used. They are not asked again."""
        self.failures = Counter[str]()
        """How often each node gave no answer."""

    def ask(self, node: Node, gpus: int) -> None:
        cards = ask(node, look_for_cards, self.device if gpus else "cpu", cards=gpus)
        self.asked[node.id] = Newcomer(gpus, cards, ask(node, report_node, self.expected.question))

    def judge(self, alive: Collection[str]) -> tuple[list[Node], list[str]]:
        """The nodes that have answered and can be used, and a sentence for each one that cannot.

        Nodes that are gone in the meantime are forgotten.
        """
        passed: list[Node] = []
        said: list[str] = []
        for key, one in [*self.asked.items()]:
            answered = one.cards.ready and one.report.ready
            if key in alive and not answered and not one.report.late:
                continue
            del self.asked[key]
            if key not in alive:
                continue
            try:
                passed.append(self._checked(one))
            except UserError as error:
                self.failures[key] += isinstance(error, NoAnswer)
                if isinstance(error, NoAnswer) and self.failures[key] < MOST_FAILURES:
                    continue  # it is asked again
                self.refused.add(key)
                said.append(f"Not used: {error}".removesuffix("."))
        return passed, said

    def _checked(self, one: Newcomer) -> Node:
        """The node with its cards; one that lacks something is a ``UserError``."""
        resources, cards = self.resources, one.cards.get(0)
        share, beside = (resources.share_mib, resources.trials_per_card) if resources.cards else (None, 1)
        raise_if_any(unusable_cards(one.cards.node, cards, one.gpus, share, beside))
        node = replace(one.cards.node, cards=cards)
        if not resources.places_on(node):
            needs = "a graphics card" if resources.cards and not cards else f"{resources.cores_per_trial} cores"
            raise UserError(f"{node}: a trial needs {needs}, and the node has {node.cores} cores.")
        report, weights = one.report.get(0), self.expected.weights
        raise_if_any([*problems(node, report, self.expected.here, resources), *lacking_weights(node, report, weights)])
        return node
