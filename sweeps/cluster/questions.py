"""Asks the nodes of a cluster, each by a task of Ray that runs there."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from src.errors import UserError
from trainable.resources import Node

ANSWER_SECONDS = 600.0
"""For an answer. A node may have to decode thousands of photographs before."""


class NoAnswer(UserError):
    """A node has given no answer, because of Ray or of what else it does now."""


@dataclass(frozen=True)
class Asked:
    """A question to a node that may not be answered yet."""

    node: Node
    answer: Any
    since: float = field(default_factory=time.monotonic)

    @property
    def late(self) -> bool:
        """Whether the time for an answer is over."""
        return time.monotonic() > self.since + ANSWER_SECONDS

    @property
    def ready(self) -> bool:
        done, _ = ray.wait([self.answer], timeout=0)
        return bool(done)

    def get(self, seconds: float) -> Any:
        """The answer. If there is none, a ``UserError`` says why; ``NoAnswer`` if that may be of the moment."""
        try:
            return ray.get(self.answer, timeout=seconds)
        except GetTimeoutError:
            raise NoAnswer(
                f"{self.node}: gives no answer within {ANSWER_SECONDS:.0f} s. Is it overloaded, or are its graphics "
                "cards in use by other programs on this Ray?"
            ) from None
        except RayTaskError as error:
            cause = str(error).strip().splitlines()[-1]
            same_path = " Is this project, with its environment, at the same path there?"
            raise UserError(f"{self.node}: {cause}{same_path if 'ModuleNotFound' in cause else ''}") from error
        except RayError as error:
            raise NoAnswer(f"{self.node}: {str(error).strip().partition(chr(10))[0]}") from error


def ask(node: Node, question: Callable[..., Any], *arguments: Any, cards: int = 0) -> Asked:
    """Let a function run on a node, with access to so many of its graphics cards."""
    where: Any = NodeAffinitySchedulingStrategy(node.id, soft=False)
    task: Any = ray.remote(num_cpus=0, num_gpus=cards, max_retries=0, scheduling_strategy=where)(question)
    return Asked(node, task.remote(*arguments))


def ask_all(
    nodes: Mapping[str, Node], question: Callable[..., Any], *arguments: Any, cards: Mapping[str, int]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Ask nodes at the same time. Returns the answers, and why there is none, each by node."""
    asked = {key: ask(node, question, *arguments, cards=cards.get(key, 0)) for key, node in nodes.items()}
    end, answers, failed = time.monotonic() + ANSWER_SECONDS, dict[str, Any](), dict[str, str]()
    for key, one in asked.items():
        try:
            answers[key] = one.get(max(0.0, end - time.monotonic()))
        except UserError as error:
            failed[key] = str(error)
    return answers, failed
