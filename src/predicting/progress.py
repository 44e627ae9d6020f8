"""Shows how far a folder is predicted: photographs, their speed, and the time that is left."""

import sys

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars


class Progress:
    """Bars on a terminal: one over all photographs, one over the rows of the current one. Elsewhere, lines alone."""

    def __init__(self, photographs: int) -> None:
        self.console = Console(markup=False, emoji=False, highlight=False)
        self.bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}{task.fields[speed]}"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not (sys.stdout and sys.stdout.isatty()),
        )
        self.all = self.bars.add_task("photographs", total=photographs, speed="")
        self.one = self.bars.add_task("rows", total=1, speed="")

    def __enter__(self) -> "Progress":
        self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bars.stop()

    def begin(self, rows: int) -> None:
        """The next photograph has this many rows."""
        self.bars.reset(self.one, total=rows)

    def advance(self, rows: int) -> None:
        self.bars.advance(self.one, rows)

    def end(self, line: str) -> None:
        """A photograph is done; ``line`` stays on the screen."""
        self.bars.advance(self.all)
        task = self.bars.tasks[self.all]
        self.bars.update(self.all, speed=f"  {speed(task.completed, task.elapsed or 0.0)}")
        self.console.print(line, soft_wrap=True)
        if sys.stdout:
            sys.stdout.flush()


def speed(photographs: float, seconds: float) -> str:
    """``1.3 photographs a second``, or ``2.5 s a photograph``."""
    if not photographs or not seconds:
        return ""
    each = seconds / photographs
    return f"{1 / each:.1f} photographs a second" if each < 1 else f"{each:.1f} s a photograph"
