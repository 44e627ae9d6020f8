"""Prints plain lines, and tables that fit the terminal: a table that is too wide is continued below."""

import sys
import textwrap
from collections.abc import Collection, Iterator, Sequence
from itertools import zip_longest

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table


class PlainConsole(Console):
    """A console that prints text unchanged, including brackets."""

    def __init__(self, width: int) -> None:
        """``width``: characters of a line if the output is a file or a pipe."""
        here = None if sys.stdout and sys.stdout.isatty() else width
        super().__init__(markup=False, emoji=False, highlight=False, soft_wrap=True, width=here)

    def on_broken_pipe(self) -> None:
        """The reader has closed the pipe; ``run_command`` handles that."""
        raise BrokenPipeError


def fitted(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    texts: Collection[str] = (),
    styles: Sequence[str | None] = (),
) -> Iterator[Table]:
    """Split a table into one or several of at most ``width`` characters, without breaking cells.

    Headings are wrapped at words if the cells below are narrower. Columns are right-aligned unless they are in
    ``texts``.
    """
    wrapped = [wrap(head, max((cell_len(row[index]) for row in rows), default=0)) for index, head in enumerate(heads)]
    widths = [
        max(cell_len(line) for line in [*wrapped[index].splitlines(), *(row[index] for row in rows)])
        for index in range(len(heads))
    ]
    gap = 2 if len(parts(widths, width, 2)) == 1 else 1
    for columns in parts(widths, width, gap):
        table = Table(box=None, pad_edge=False, collapse_padding=gap == 1, header_style="bold")
        for index in columns:
            justify = "left" if heads[index] in texts else "right"
            table.add_column(wrapped[index], justify=justify, no_wrap=True)
        for row, style in zip_longest(rows, styles[: len(rows)]):
            table.add_row(*(row[index] for index in columns), style=style)
        yield table


def wrap(head: str, width: int) -> str:
    """Wrap a heading to the width of the cells below, or of its longest word."""
    longest = max(len(word) for word in head.split())
    return "\n".join(textwrap.wrap(head, max(width, longest)))


def parts(widths: Sequence[int], width: int, gap: int) -> list[list[int]]:
    """The column indices of each part: always the first column, then as many more as fit."""
    found, used = [[0]], widths[0]
    for column in range(1, len(widths)):
        if used + gap + widths[column] > width and len(found[-1]) > 1:
            found.append([0])
            used = widths[0]
        found[-1].append(column)
        used += gap + widths[column]
    return found
