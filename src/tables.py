"""What a terminal shows: plain lines, and tables that fit it, continued below where one is too wide."""

import sys
import textwrap
from collections.abc import Collection, Iterator, Sequence
from itertools import zip_longest

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table


class PlainConsole(Console):
    """One that prints reasons and overrides as they are, brackets too."""

    def __init__(self, width: int) -> None:
        """``width``: characters of a line in a file or a pipe, where nobody says how wide it may be."""
        here = None if sys.stdout and sys.stdout.isatty() else width
        super().__init__(markup=False, emoji=False, highlight=False, soft_wrap=True, width=here)

    def on_broken_pipe(self) -> None:
        """Nobody reads any more: what that means for the command is told in ``run_command``."""
        raise BrokenPipeError


def fitted(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    texts: Collection[str] = (),
    styles: Sequence[str | None] = (),
) -> Iterator[Table]:
    """The table as one or several of at most ``width`` characters; no cell is broken.

    Headings are broken between words where the cells below are narrower. Columns are numbers, to the right, unless they
    are among ``texts``.
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
    """A heading in lines, each as wide as the cells below or as its longest word."""
    longest = max(len(word) for word in head.split())
    return "\n".join(textwrap.wrap(head, max(width, longest)))


def parts(widths: Sequence[int], width: int, gap: int) -> list[list[int]]:
    """The columns of each part, by their numbers: the first one, then as many more as there is room for."""
    found, used = [[0]], widths[0]
    for column in range(1, len(widths)):
        if used + gap + widths[column] > width and len(found[-1]) > 1:
            found.append([0])
            used = widths[0]
        found[-1].append(column)
        used += gap + widths[column]
    return found
