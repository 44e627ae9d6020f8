"""Why a trial failed, decided in its own process, where the exception still has its type.

Ray passes on nothing but the text of an exception. So a trial raises ``TrialFailed``, whose text is JSON with the kind
and the message, and ``read_failure`` finds it in Ray's text.
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
    """What a failure says of the next try."""

    CONFIGURATION = "configuration"
    """It would only come again: the training diverged, does not fit on a card, or cannot be built."""
    MACHINE = "machine"
    """It may not come again: the process was killed, memory that others held, a fault of a driver."""
    DISK_FULL = "disk_full"
    """All trials would fail of it."""
    CARD_LOST = "card_lost"
    """All trials would fail of it."""


KINDS: dict[FailureKind, tuple[type[Exception], ...]] = {
    FailureKind.CONFIGURATION: (Diverged, OutOfCardMemory, UserError, AssertionError),
    FailureKind.CARD_LOST: (CardLost,),
}
FULL = (errno.ENOSPC, errno.EDQUOT)
FULL_TEXTS = (*map(os.strerror, FULL), "StreamWriter failed writing")
"""Texts of a full disk in exceptions that have lost their errno: of a loader's process, and of torch's writer."""


class Failure(NamedTuple):
    """A failed trial's kind of failure, and what happened in one line."""

    kind: FailureKind
    message: str


class TrialFailed(Exception):
    """The failure of a trial; its text is the JSON of a ``Failure``."""


def trial_failed(error: Exception) -> TrialFailed:
    """What a trial raises in place of an error."""
    first = str(error).strip().partition("\n")[0]  # CUDA's have lines of advice after it
    name = type(error).__name__
    failure = Failure(kind_of(error), f"{name}: {first}" if first else name)
    return TrialFailed(json.dumps(failure._asdict()))


def kind_of(error: BaseException) -> FailureKind:
    """The kind of failure that an exception is."""
    if any(is_disk_full(one) for one in chain(error)):
        return FailureKind.DISK_FULL
    return next((kind for kind, types in KINDS.items() if isinstance(error, types)), FailureKind.MACHINE)


def is_disk_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    return any(text in str(error) for text in FULL_TEXTS)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def read_failure(text: str) -> Failure:
    """The failure in Ray's text of it. Without a ``TrialFailed`` there, the process died, or Ray itself has failed."""
    lines = [line.strip() for line in reversed(text.splitlines()) if line.strip()]
    head = f"{TrialFailed.__module__}.{TrialFailed.__name__}: "
    for line in lines:
        if line.startswith(head):
            found = json.loads(line.removeprefix(head))
            return Failure(FailureKind(found["kind"]), found["message"])
    first = next((line for line in lines if line.partition(":")[0].endswith("Error")), lines[0] if lines else "")
    message = first.rpartition("ray.exceptions.")[2] or "the process died"
    return Failure(FailureKind.DISK_FULL if any(word in text for word in FULL_TEXTS) else FailureKind.MACHINE, message)
