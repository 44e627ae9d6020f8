"""A Ray cluster that a sweep joins. Its nodes may come and go while the sweep runs.

Every node is checked before it gets a trial: those that are there at the beginning in ``check``, the others when they
join. ``sweeps.local_ray`` is the Ray of one machine; both give an executor its places.
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import count
from types import TracebackType
from typing import Any, NamedTuple, Self

from sweeps.local_ray import environment

os.environ.update(environment())
import ray
import ray._private.state

from src.errors import UserError
from sweeps.cluster_connection import join
from sweeps.node_checks import Here, lacking_weights, look_here, problems, question_for, unusable_cards
from sweeps.node_questions import ANSWER_SECONDS, Asked, ask, ask_all
from sweeps.places import Changes, Place, places_on
from sweeps.plan import SweepPlan
from sweeps.search.budget import MOST_AT_ONCE, Budget
from trainable.node_report import Question, look_for_cards, report_node
from trainable.resources import Node, Resources, share_nodes

LOOK_SECONDS = 1.0
"""Between two looks at the nodes."""
DEATH_SECONDS = 5.0
"""A node whose process has died is known to be dead after so long at most, unless it hangs."""


class Session(NamedTuple):
    """What a node that joins is asked, and what its answers are compared with."""

    here: Here
    question: Question
    weights: Mapping[str, bool]


class Cluster:
    """Joins a Ray cluster for a block. A cluster that cannot be joined is a ``UserError``."""

    def __init__(self, address: str, device: str, budget: Budget, cores_per_trial: int | None = None) -> None:
        """``cores_per_trial``: the number that the sweep began with."""
        self.address, self.device, self.budget, self.cores_per_trial = address, device, budget, cores_per_trial
        self.nodes: dict[str, Node] = {}
        """The nodes that trials may use, by Ray's id."""
        self.resources = Resources(1, 1)
        self.limit = MOST_AT_ONCE
        self.session: Session | None = None
        self.refused = set[str]()
        """Ids of nodes that were asked and cannot be used."""
        self.asked: dict[str, tuple[Asked, Asked]] = {}
        """Nodes that have joined and are being checked: their cards, and their report."""
        self.places_of: dict[str, list[Place]] = {}
        self.numbers = count()
        self.looked_at = 0.0
        self.silent = set[str]()
        """Ids of nodes that did not answer since the last look."""

    def __enter__(self) -> Self:
        join(self.address)
        try:
            self._look()
            self._share()
        except BaseException:
            self.stop()
            raise
        return self

    def _look(self) -> None:
        alive = self._alive()
        self.gpus = {key: gpus_of(about, self.device) for key, about in alive.items()}
        nodes = {key: node_of(about) for key, about in alive.items()}
        with_cards = {key: node for key, node in nodes.items() if self.gpus[key]}
        cards, failed = ask_all(with_cards, look_for_cards, self.device, cards=self.gpus)
        for key in self._refuse_failed(failed):
            del nodes[key]
        refuse(
            line for key, found in cards.items() for line in unusable_cards(nodes[key], found, self.gpus[key], None, 1)
        )
        self.nodes = {key: replace(node, cards=cards.get(key, ())) for key, node in nodes.items()}

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _share(self) -> None:
        """Divide the nodes among the trials."""
        number, gpus, nodes = self.budget.number_at_once, self.budget.gpus, [*self.nodes.values()]
        self.resources = share_nodes(number, nodes, MOST_AT_ONCE, gpus, self.cores_per_trial)
        self.limit = MOST_AT_ONCE if number is None and gpus is None else self.resources.trials_at_once
        self.nodes = {node.id: node for node in self.resources.nodes}

    def check(self, plan: SweepPlan) -> list[str]:
        """Compare all nodes with this machine; returns notes. What a node lacks is a ``UserError``.

        The sweep's folder is locked by this process.
        """
        here = look_here(plan)
        question = question_for(plan, here)
        reports, failed = ask_all(self.nodes, report_node, question, cards={})
        notes = [f"{self.nodes.pop(key)} is lost" for key in self._refuse_failed(failed)]
        found = [
            line for key, report in reports.items() for line in problems(self.nodes[key], report, here, self.resources)
        ]
        weights = {name: True for report in reports.values() for name, loaded in report.weights.items() if loaded}
        found += [line for key, report in reports.items() for line in lacking_weights(self.nodes[key], report, weights)]
        refuse(found)
        self.session = Session(here, replace(question, device=self.device), weights)
        free = [str(self.nodes[key]) for key, report in reports.items() if report.lock_is_free]
        return notes + [
            f"{node}: file locks of other nodes are not seen there; attempt numbers keep two processes from writing to "
            "one trial."
            for node in free
            if len(self.nodes) > 1
        ]

    def wait(self) -> None:
        """Nothing to wait for: the cluster runs."""

    def stop(self) -> None:
        """Leave the cluster; Ray ends our processes there."""
        ray.shutdown()

    def places(self) -> list[Place]:
        """The places on all nodes."""
        return [place for node in self.nodes.values() for place in self._fill(node)]

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """The result of a function on one of the nodes, with a graphics card if there are any."""
        node = next(iter(self.nodes.values()))
        return ask(node, function, *arguments, cards=1 if node.cards else 0).get(ANSWER_SECONDS)

    def changes(self) -> Changes:
        """What has changed since the last call: places of nodes that have joined, and nodes that are gone."""
        if time.monotonic() < self.looked_at + LOOK_SECONDS:
            return Changes()
        self.looked_at = time.monotonic()
        alive = self._alive()
        gone = [node for key, node in self.nodes.items() if key not in alive or key in self.silent]
        self.silent.clear()
        for node in gone:
            del self.nodes[node.id]
            self.places_of.pop(node.id, None)
        said = [f"{node} is lost" if node.id not in alive else f"{node} does not answer" for node in gone]
        for key in alive.keys() - self.nodes.keys() - self.asked.keys() - self.refused:
            self._ask(node_of(alive[key]), gpus_of(alive[key], self.device))
        self.asked = {key: asked for key, asked in self.asked.items() if key in alive}
        joined = self._judge(said)
        places = [place for node in self.nodes.values() for place in self._fill(node)]
        said += [f"{node} has joined" for node in joined]
        return Changes(places, {node.id for node in gone}, said)

    def has_lost(self, place: Place) -> bool:
        """Whether the machine of a place is gone. It waits for some seconds: Ray may not know it yet."""
        end = time.monotonic() + DEATH_SECONDS
        while time.monotonic() < end:
            if place.node is None or place.node.id not in self._alive():
                return True
            time.sleep(0.1)
        return False

    def _refuse_failed(self, failed: Mapping[str, str]) -> list[str]:
        """Nodes that gave no answer because they are gone. If others gave none, it is a ``UserError``."""
        alive = self._alive()
        refuse(sentence for key, sentence in failed.items() if key in alive)
        return [*failed]

    def give_up(self, place: Place) -> None:
        """Give up the node of a place, which does not answer. It is checked again, as one that has joined."""
        if place.node is not None:
            self.silent.add(place.node.id)

    def _alive(self) -> dict[str, Mapping[str, Any]]:
        """Ray's descriptions of the nodes with cores that are alive and stay, by id."""
        leaving = ray._private.state.state.get_draining_nodes()
        nodes: list[Mapping[str, Any]] = ray.nodes()
        return {
            node["NodeID"]: node
            for node in nodes
            if node["Alive"] and node["NodeID"] not in leaving and node["Resources"].get("CPU", 0) >= 1
        }

    def _ask(self, node: Node, gpus: int) -> None:
        assert self.session is not None
        self.gpus[node.id] = gpus
        cards = ask(node, look_for_cards, self.device if gpus else "cpu", cards=gpus)
        self.asked[node.id] = (cards, ask(node, report_node, self.session.question))

    def _judge(self, said: list[str]) -> list[Node]:
        """Nodes that have answered and can be used; adds a sentence to ``said`` for each of the others."""
        passed: list[Node] = []
        for key, (cards, report) in [*self.asked.items()]:
            if not (cards.ready and report.ready):
                continue
            del self.asked[key]
            try:
                node = self._checked(cards, report)
            except UserError as error:
                self.refused.add(key)
                said.append(f"Not used: {error}")
            else:
                self.nodes[key] = node
                passed.append(node)
        return passed

    def _checked(self, cards: Asked, report: Asked) -> Node:
        """The node with its cards; one that lacks something is a ``UserError``."""
        assert self.session is not None
        found, resources = cards.get(0), self.resources
        answer = report.get(0)
        share, beside = (resources.share_mib, resources.trials_per_card) if resources.cards else (None, 1)
        refuse(unusable_cards(cards.node, found, self.gpus[cards.node.id], share, beside))
        node = replace(cards.node, cards=found)
        if not resources.places_on(node):
            raise UserError(f"{node}: has no room for a trial, which needs {resources}.")
        refuse(
            [
                *problems(node, answer, self.session.here, resources),
                *lacking_weights(node, answer, self.session.weights),
            ]
        )
        return node

    def _fill(self, node: Node) -> list[Place]:
        """New places on a node, as many as it has room for and the limit allows."""
        used = sum(map(len, self.places_of.values()))
        own = self.places_of.setdefault(node.id, [])
        new = places_on(node, self.resources, self.limit - used, len(own), self.numbers)
        own += new
        return new


def node_of(about: Mapping[str, Any]) -> Node:
    return Node(
        about["NodeID"], about["NodeManagerAddress"], about["NodeManagerHostname"], int(about["Resources"]["CPU"])
    )


def gpus_of(about: Mapping[str, Any], device: str) -> int:
    """Graphics cards that Ray has on a node, as far as ``device`` uses any."""
    return 0 if device == "cpu" else int(about["Resources"].get("GPU", 0))


def refuse(lines: Iterable[str]) -> None:
    """Raise a ``UserError`` with these lines, if there are any."""
    if found := [*lines]:
        raise UserError("\n".join(found))
