"""Handles the signals that end a session. The first signal ends it in order, the second one at once."""

import os
import signal
import sys
from typing import Self

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """Stores SIGINT, SIGTERM or SIGHUP (a closed terminal) in ``received``; a second one raises ``KeyboardInterrupt``.

    Signals that are ignored when the session starts stay ignored. ``nohup`` ignores SIGHUP, and a script may ignore
    Ctrl-C for its background jobs.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.terminals = [stream.fileno() for stream in (sys.stdout, sys.stderr) if stream and stream.isatty()]

    def __enter__(self) -> Self:
        self.before = {number: signal.getsignal(number) for number in HANDLED}
        self.listen()
        return self

    def listen(self) -> None:
        """Install the handlers. Call it again after Ray has started, because Ray replaces the handler of SIGTERM."""
        for number in HANDLED:
            ignored = self.before[number] is signal.SIG_IGN
            signal.signal(number, signal.SIG_IGN if ignored else self._take)

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _take(self, number: int, frame: object) -> None:
        if number == signal.SIGHUP:  # the terminal is closed: printing to it would raise an error
            for terminal in self.terminals:
                os.dup2(os.open(os.devnull, os.O_WRONLY), terminal)
        elif self.received is not None:
            raise KeyboardInterrupt
        self.received = self.received or number
