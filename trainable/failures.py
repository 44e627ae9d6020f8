"""Classifies why a trial failed. This happens in the trial's own process, where the exception still has its type.

Ray only passes on the text of an exception. So a trial raises ``TrialFailed``, whose text is JSON with the kind and the
message, and ``read_failure`` finds it in Ray's text.
"""

import errno
import json
import os
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from src.errors import UserError
from src.training.trainer import Diverged
from trainable.guard import CardLost, OutOfCardMemory


class FailureKind(StrEnum):
    """The kind of a failure. It decides whether the trial is tried again."""

    CONFIGURATION = "configuration"
    """Would happen again: the training diverged, does not fit on a card, or cannot be built."""
    MACHINE = "machine"
    """May not happen again: the process was killed, other programs used the memory, the driver failed."""
    DISK_FULL = "disk_full"
    """Would make all trials fail."""
    CARD_LOST = "card_lost"
    """Would make all trials fail."""


KINDS: dict[FailureKind, tuple[type[Exception], ...]] = {
    FailureKind.CONFIGURATION: (Diverged, OutOfCardMemory, UserError, AssertionError),
    FailureKind.CARD_LOST: (CardLost,),
}
FULL = (errno.ENOSPC, errno.EDQUOT)
FULL_TEXTS = (*map(os.strerror, FULL), "StreamWriter failed writing")
"""Messages of a full disk in exceptions without an errno: from a data loader's process, and from torch's writer."""


class Failure(NamedTuple):
    """Why a trial failed: the kind, and a message of one line."""

    kind: FailureKind
    message: str


class TrialFailed(Exception):
    """The failure of a trial; its text is the JSON of a ``Failure``."""


def trial_failed(error: Exception) -> TrialFailed:
    """The exception that a trial raises in place of ``error``."""
    first = str(error).strip().partition("\n")[0]  # CUDA's messages continue with lines of advice
    name = type(error).__name__
    failure = Failure(kind_of(error), f"{name}: {first}" if first else name)
    return TrialFailed(json.dumps(failure._asdict()))


def kind_of(error: BaseException) -> FailureKind:
    """The kind of failure that an exception stands for."""
    if any(is_disk_full(cause) for cause in chain(error)):
        return FailureKind.DISK_FULL
    return next((kind for kind, types in KINDS.items() if isinstance(error, types)), FailureKind.MACHINE)


def is_disk_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    return any(text in str(error) for text in FULL_TEXTS)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and its causes."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def read_failure(text: str) -> Failure:
    """Find the failure in Ray's error text. Without a ``TrialFailed`` in it, the process died or Ray itself failed."""
    lines = [line.strip() for line in reversed(text.splitlines()) if line.strip()]
    head = f"{TrialFailed.__module__}.{TrialFailed.__name__}: "
    for line in lines:
        if line.startswith(head):
            failure = json.loads(line.removeprefix(head))
            return Failure(FailureKind(failure["kind"]), failure["message"])
    first = next((line for line in lines if line.partition(":")[0].endswith("Error")), lines[0] if lines else "")
    message = first.rpartition("ray.exceptions.")[2] or "the process died"
    return Failure(FailureKind.DISK_FULL if any(word in text for word in FULL_TEXTS) else FailureKind.MACHINE, message)
