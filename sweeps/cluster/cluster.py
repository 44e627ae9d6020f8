"""A Ray cluster that a sweep joins. Its nodes may come and go while the sweep runs.

Every node is checked before it gets a trial: those that are there at the beginning in ``check``, the others when they
join (``sweeps.cluster.newcomers``). ``sweeps.local_ray`` is the Ray of one machine; both give an executor its places.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from types import TracebackType
from typing import Any, Self

from sweeps.local_ray import environment

os.environ.update(environment())
import ray
import ray._private.state

from src.errors import UserError
from sweeps.cluster.checks import lacking_weights, look_here, problems, question_for, raise_if_any, unusable_cards
from sweeps.cluster.connection import join
from sweeps.cluster.newcomers import Expected, Newcomers
from sweeps.cluster.questions import ANSWER_SECONDS, ask, ask_all
from sweeps.places import Changes, Place, places_on
from sweeps.plan import SweepPlan
from sweeps.search.budget import MOST_AT_ONCE, Budget
from trainable.node_report import look_for_cards, report_node
from trainable.resources import Before, Node, Resources, share_nodes

LOOK_SECONDS = 1.0
"""Between two looks at the nodes."""
DEATH_SECONDS = 5.0
"""How long to wait, after a process has died, whether Ray says that its node is gone."""


class Cluster:
    """Joins a Ray cluster for a block. A cluster that cannot be joined is a ``UserError``."""

    newcomers: Newcomers

    def __init__(self, address: str, device: str, budget: Budget, before: Before | None = None) -> None:
        """``before``: how the earlier sessions of a sweep have divided the machines."""
        self.address, self.device, self.budget, self.before = address, device, budget, before
        self.nodes: dict[str, Node] = {}
        """The nodes that trials may use, by Ray's id."""
        self.resources = Resources(1, 1)
        self.limit = MOST_AT_ONCE
        """Trials at once, on all nodes that there may be."""
        self.left_out = set[str]()
        """Ids of nodes that were there at the beginning and cannot run a trial."""
        self.notes: list[str] = []
        self.places_of: dict[str, list[Place]] = {}
        self.numbers = count()
        self.looked_at = 0.0
        self.silent = set[str]()
        """Ids of nodes that did not answer since the last look."""
        self.deaths: dict[str, float] = {}
        """When a process has died on a node that is alive, by the node's id."""

    def __enter__(self) -> Self:
        join(self.address)
        try:
            self._look()
            self._share()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _look(self) -> None:
        """Find the nodes and their graphics cards."""
        alive = self._alive()
        nodes = {key: node_of(about) for key, about in alive.items()}
        gpus = {key: gpus_of(about, self.device) for key, about in alive.items()}
        with_cards = {key: node for key, node in nodes.items() if gpus[key]}
        if self.device == "cuda" and not with_cards:
            raise UserError(
                "device=cuda: no node of the cluster has a graphics card that Ray knows of: see ray status."
            )
        cards, failed = ask_all(with_cards, look_for_cards, self.device, cards=gpus)
        for key in self._gone(failed):
            del nodes[key]
        raise_if_any(line for key, own in cards.items() for line in unusable_cards(nodes[key], own, gpus[key], None, 1))
        self.nodes = {key: replace(node, cards=cards.get(key, ())) for key, node in nodes.items()}

    def _share(self) -> None:
        """Divide the nodes among the trials."""
        number, gpus, nodes = self.budget.number_at_once, self.budget.gpus, [*self.nodes.values()]
        self.resources = found = share_nodes(number, nodes, MOST_AT_ONCE, gpus, self.before)
        limits = [MOST_AT_ONCE, number, gpus and gpus * max(1, found.trials_per_card)]
        self.limit = min(limit for limit in limits if limit)
        for node in found.nodes if found.cards else ():
            small = unusable_cards(node, node.cards, len(node.cards), found.share_mib, found.trials_per_card)
            self.notes += [f"Not used: {line}" for line in small]
            self.left_out |= {node.id for _ in small}
        self.left_out |= self.nodes.keys() - {node.id for node in found.nodes}
        self.nodes = {key: node for key, node in self.nodes.items() if key not in self.left_out}

    def check(self, plan: SweepPlan) -> list[str]:
        """Compare all nodes with this machine; returns notes. What a node lacks is a ``UserError``.

        The sweep's folder is locked by this process.
        """
        here = look_here(plan)
        question = question_for(plan, here)
        reports, failed = ask_all(self.nodes, report_node, question, cards={})
        notes = [*self.notes, *(f"{self.nodes.pop(key)} is lost." for key in self._gone(failed))]
        found = [line for key, one in reports.items() for line in problems(self.nodes[key], one, here, self.resources)]
        weights = {name: True for report in reports.values() for name, loaded in report.weights.items() if loaded}
        found += [line for key, report in reports.items() for line in lacking_weights(self.nodes[key], report, weights)]
        raise_if_any(found)
        self.newcomers = Newcomers(Expected(here, question, weights), self.resources, self.device)
        self.newcomers.refused |= self.left_out
        alone = [str(self.nodes[key]) for key, report in reports.items() if report.lock_is_free]
        if alone and len(self.nodes) > 1:
            notes.append(
                f"File locks of other nodes are not seen on {', '.join(alone)}; attempt numbers keep two processes "
                "from writing to one trial."
            )
        return notes

    def wait(self) -> None:
        """Nothing to wait for: the cluster runs."""

    def stop(self, keep: object = None) -> None:
        """Leave the cluster; Ray ends our processes there."""
        ray.shutdown()

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """The result of a function on one of the nodes, with a graphics card if there are any."""
        node = next(iter(self.nodes.values()))
        return ask(node, function, *arguments, cards=1 if node.cards else 0).get(ANSWER_SECONDS)

    def places(self) -> list[Place]:
        """The places on all nodes."""
        return [place for node in self.nodes.values() for place in self._fill(node)]

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
        for key in alive.keys() - self.nodes.keys() - self.newcomers.asked.keys() - self.newcomers.refused:
            self.newcomers.ask(node_of(alive[key]), gpus_of(alive[key], self.device))
        joined, refused = self.newcomers.judge(alive.keys())
        self.nodes |= {node.id: node for node in joined}
        new = [place for node in self.nodes.values() for place in self._fill(node)]
        said = [f"{node} is lost" if node.id not in alive else f"{node} does not answer" for node in gone]
        said += [*(f"{node} has joined" for node in joined), *refused]
        return Changes(new, {node.id for node in gone}, said)

    def has_lost(self, place: Place) -> bool:
        """Whether the node of a place is gone, where a process has just died.

        It waits for some seconds, as Ray may not know it yet; once for all processes that die together.
        """
        assert place.node is not None
        key, now = place.node.id, time.monotonic()
        if now > self.deaths.get(key, 0.0) + 2 * DEATH_SECONDS:
            self.deaths[key] = now
        while key in self._alive():
            if time.monotonic() > self.deaths[key] + DEATH_SECONDS:
                return False
            time.sleep(0.1)
        return True

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

    def _gone(self, failed: Mapping[str, str]) -> list[str]:
        """Of the nodes that gave no answer, those that are gone. One that is not is a ``UserError``."""
        alive = self._alive()
        raise_if_any(sentence for key, sentence in failed.items() if key in alive)
        return [*failed]

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
