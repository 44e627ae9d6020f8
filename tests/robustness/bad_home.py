"""A folder of good data with a network, and a case: one bad input in it, and the command that meets it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

TINY = ("model.encoder=tiny", "model.decoder=tiny", "data.image_size=[32,32]", "data.batch_size=4", "threads=1")


@dataclass(frozen=True)
class Home:
    """A folder with good data and a trained network in it, for one input to spoil."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def network(self) -> Path:
        """A training's last state."""
        return self.root / "last.pth"

    @property
    def canary(self) -> Path:
        """A folder that only code out of an input would make."""
        return self.root / "canary"

    @property
    def spec(self) -> Path:
        """A sweep's module, of the only folder that sweeps are looked for in."""
        return self.root / "specs" / "bad.py"

    def words(self) -> list[str]:
        """The overrides of a run of two epochs."""
        paths = [
            f"data.root={self.data}",
            f"data.cache_dir={self.root / 'cache'}",
            f"output_root={self.root / 'outputs'}",
        ]
        return [*TINY, "device=cpu", "training.epochs=2", *paths]

    def sweep_words(self) -> list[str]:
        return [word for word in self.words() if not word.startswith(("threads", "training.epochs"))]


class Case(NamedTuple):
    family: str
    name: str
    named: str
    """What the sentence must say."""
    program: str
    spoil: Callable[[Home], list[str]]
    """Puts the input where the command will meet it, and returns the command's words."""


def first(folder: Path) -> Path:
    return min(folder.iterdir())
