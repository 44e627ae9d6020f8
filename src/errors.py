"""Errors and exit codes of the commands."""

import argparse
import errno
import io
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from difflib import get_close_matches
from itertools import takewhile
from typing import Any, NoReturn

FULL = (errno.ENOSPC, errno.EDQUOT)
STDERR = 2
EXIT_FAILED = 1
EXIT_USER = 2
EXIT_SIGNAL = 128  # and the signal's number
EXIT_INTERRUPTED = EXIT_SIGNAL + signal.SIGINT
EXIT_NO_READER = EXIT_SIGNAL + signal.SIGPIPE


KEYS_NOT_OPTIONS = {"output_root": "output_root", "data_root": "data.root"}
"""Keys of the configuration that some commands take as options."""


PROGRAM = ""
"""The name under which a command was called, if that is not its module: ``crack-sweep measure``."""


class UserError(Exception):
    """A mistake that the user must correct: one sentence with what is wrong, where, the value and the legal values."""


def unknown(kind: str, value: str, legal: Iterable[str], near: Sequence[str] = (), hint: str = "") -> UserError:
    """The error for a name that does not exist: the nearest legal name (or ``near``), then all legal names.

    A ``hint`` is a sentence that replaces the nearest name.
    """
    names = sorted(legal)
    near = near or nearest(value, names)
    hint = hint or (f"Did you mean '{near[0]}'?" if near else "")
    return UserError(" ".join(filter(None, [f"Unknown {kind} '{value}'.", hint, f"Legal: {', '.join(names)}."])))


def nearest(value: str, names: Iterable[str]) -> list[str]:
    """The name that was probably intended, if there is one: ``architectures/unet`` also for ``unet`` or ``unett``."""
    names = list(names)
    if "/" not in value:
        last = {name.rpartition("/")[2]: name for name in names}
        if found := get_close_matches(value, last, n=1):
            return [last[found[0]]]
    return get_close_matches(value, names, n=1)


class Parser(argparse.ArgumentParser):
    """A parser that raises a ``UserError`` of one sentence, instead of printing the whole usage.

    Unknown options are reported before missing ones: they are often the same option, misspelled.
    """

    words: Sequence[str] = ()

    def __init__(self, prog: str | None = None, **options: Any) -> None:
        super().__init__(prog=PROGRAM or prog, **options)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:  # type: ignore[override]
        self.begin(args)
        return super().parse_args(args, namespace)

    def parse_intermixed_args(self, args: Any = None, namespace: Any = None) -> Any:  # type: ignore[override]
        self.begin(args)
        return super().parse_intermixed_args(args, namespace)

    def begin(self, args: Sequence[str] | None) -> None:
        """Keep the words for errors. If a shell asks what its last word may become, say it and end the process."""
        self.words = list(sys.argv[1:] if args is None else args)
        if "_ARGCOMPLETE" in os.environ:
            import argcomplete

            argcomplete.autocomplete(self)

    def error(self, message: str) -> NoReturn:
        options = [option for option in self._option_string_actions if option.startswith("--")]
        for word in self.words:
            key, equals, value = word.partition("=")
            name = "--" + key.replace("_", "-").replace(".", "-")
            if equals and message.startswith("unrecognized") and name in options:
                raise UserError(f"'{word}': here this is an option: {name} {value}.")
            if word.startswith("--") and key[2:].replace("-", "_") in KEYS_NOT_OPTIONS and key not in options:
                raise UserError(f"'{key}': here this is a key: {KEYS_NOT_OPTIONS[key[2:].replace('-', '_')]}=VALUE.")
        for word in takewhile(lambda word: word != "--", self.words):
            name = word.partition("=")[0]
            if name.startswith("--") and not any(option.startswith(name) for option in options):
                raise unknown("option", name, options)
        raise UserError(f"{message}; --help lists the options.")


class Pipe(io.FileIO):
    """A stream to a pipe; when the reader has closed it, further output is discarded."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            if self.fileno() != STDERR:
                print("The output is no longer read: continuing without it.", file=sys.stderr, flush=True)
            return len(data)


def outlive_reader() -> None:
    """Continue without output when its reader closes the pipe, as ``| head`` does, so that no work is lost.

    This is for commands that produce files; those that only print end at that point, as is usual.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and stream is getattr(sys, f"__{name}__") and not stream.isatty():
            stream.flush()
            pipe = io.BufferedWriter(Pipe(stream.fileno(), "wb", closefd=False))
            setattr(sys, name, io.TextIOWrapper(pipe, stream.encoding, stream.errors, line_buffering=True))


def run_command(main: Callable[[list[str]], int | None]) -> int:
    """Run a command line's ``main(argv)`` and return its exit code.

    0: done. 2: a mistake of the user (one sentence on stderr). 130: interrupted. 141: the reader of the output has
    closed it (see ``outlive_reader``). 1: anything else. ``--debug`` anywhere on the command line also shows the
    traceback of a user error.
    """
    argv = sys.argv[1:]
    debug = "--debug" in argv
    try:
        return _with_flush(main, [word for word in argv if word != "--debug"])
    except UserError as error:
        if debug:
            traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        return EXIT_USER
    except BrokenPipeError:  # the reader, such as `| head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_NO_READER
    except OSError as error:
        if not error.filename and error.errno not in FULL:
            raise
        if debug:
            traceback.print_exc()
        print(f"error: Cannot use {error.filename or 'the disk'}: {error.strerror}.", file=sys.stderr)
        return EXIT_USER
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


def leave(code: int) -> NoReturn:
    """End the process. Python would first free the modules of all libraries one by one: a second after torch."""
    for stream in (sys.stdout, sys.stderr):
        if stream:
            with suppress(OSError):  # its reader has gone
                stream.flush()
    os._exit(code)


def _with_flush(main: Callable[[list[str]], int | None], argv: list[str]) -> int:
    """Call ``main`` and flush its output here, where an error can still be handled."""
    try:
        return main(argv) or 0
    finally:
        if sys.stdout:
            sys.stdout.flush()
