"""Classifies why a trial failed. This happens in the trial's own process, where the exception still has its type.

Ray only passes on the text of an exception. So a trial raises ``TrialFailed``, whose text is JSON with the kind and the
message, and ``read_failure`` finds it in Ray's text.
"""

import errno
import json
import os
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

import filelock

from src.errors import UserError


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
    LOST = "lost"
    """No fault of the trial: its machine is lost, or another process still holds its folder."""


class NotAsSampled(Exception):
    """A trial's configuration holds another value than the search has sampled: a fault of the space or of the code."""


FULL = (errno.ENOSPC, errno.EDQUOT)
FULL_TEXTS = (*map(os.strerror, FULL), "StreamWriter failed writing")
"""Texts of a full disk in exceptions that have lost their errno: of a loader's process, and of torch's writer."""
IN_WORKER = re.compile(r"Caught (\w+) in DataLoader worker")
"""How torch begins the message of an exception of a loader's process. The traceback follows, then ``Type: message``."""


class Failure(NamedTuple):
    """A failed trial's kind of failure, and what happened in one line."""

    kind: FailureKind
    message: str


class TrialFailed(Exception):
    """The failure of a trial; its text is the JSON of a ``Failure``."""


def trial_failed(error: Exception) -> TrialFailed:
    """What a trial raises in place of an error."""
    return TrialFailed(json.dumps(Failure(kind_of(error), message_of(error))._asdict()))


def message_of(error: Exception) -> str:
    """Type and message in one line."""
    lines = str(error).strip().splitlines()
    if lines and IN_WORKER.match(lines[0]):
        return without_module(lines[-1].strip())
    name = type(error).__name__
    return f"{name}: {lines[0]}" if lines else name  # CUDA's messages have lines of advice after the first


def without_module(line: str) -> str:
    """``src.errors.UserError: text`` as ``UserError: text``."""
    kind, colon, text = line.partition(": ")
    return f"{kind.rpartition('.')[2]}{colon}{text}" if colon else line


def kind_of(error: BaseException) -> FailureKind:
    """The kind of failure that an exception is; the errors that led to it count only if it has no type of its own."""
    if is_disk_full(error):
        return FailureKind.DISK_FULL
    worker = IN_WORKER.match(str(error))
    for kind, types in typed_kinds().items():
        if isinstance(error, types) or (worker and worker[1] in [one.__name__ for one in types]):
            return kind
    return FailureKind.DISK_FULL if any(map(is_disk_full, chain(error))) else FailureKind.MACHINE


def typed_kinds() -> dict[FailureKind, tuple[type[Exception], ...]]:
    """The types of exceptions that decide the kind of a failure. They import torch, as the trial's process has done."""
    from src.training.trainer import Diverged
    from trainable.attempts import Superseded
    from trainable.guard import CardLost, OutOfCardMemory

    return {
        FailureKind.CONFIGURATION: (Diverged, OutOfCardMemory, UserError, NotAsSampled),
        FailureKind.CARD_LOST: (CardLost,),
        FailureKind.LOST: (filelock.Timeout, Superseded),
    }


def is_disk_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    return any(text in str(error) for text in FULL_TEXTS)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def read_failure(text: str) -> Failure:
    """Find the failure in Ray's error text. Without a ``TrialFailed`` in it, the process died or Ray itself failed."""
    lines = [line.strip() for line in reversed(text.splitlines()) if line.strip()]
    head = f"{TrialFailed.__module__}.{TrialFailed.__name__}: "
    for line in lines:
        if line.startswith(head):
            failure = json.loads(line.removeprefix(head))
            return Failure(FailureKind(failure["kind"]), failure["message"])
    first = next((line for line in lines if line.partition(":")[0].endswith("Error")), lines[0] if lines else "")
    message = without_module(first) or "the process died"
    return Failure(FailureKind.DISK_FULL if any(word in text for word in FULL_TEXTS) else FailureKind.MACHINE, message)
