"""Overrides: ``key=value`` strings that describe runs, trials, checkpoints and best configurations.

``Overrides.parse`` reads them once, at the entry of a command; other code uses the object. Values have Hydra's grammar.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from src.atomic import replace_text
from src.config.safe_yaml import read_yaml
from src.errors import UserError

LONGEST = 10_000
"""Characters of an override, at most."""
DEEPEST = 100
"""Brackets in an override, at most: Hydra parses them recursively."""
SIGNS = ("++", "+", "~", "")
"""Hydra's signs: add or replace, add, remove, replace."""


@dataclass(frozen=True)
class Override:
    """One override. ``++training/epochs=3`` has the key ``training.epochs``."""

    key: str
    """The dotted key; also for groups of files: ``training.loss``."""
    value: str | None
    """The text of the value; None for ``~key``, which removes a key."""
    sign: str = ""

    def __str__(self) -> str:
        return f"{self.sign}{self.key}" + ("" if self.value is None else f"={self.value}")

    def is_at(self, keys: Iterable[str]) -> bool:
        """Whether it sets one of these keys, or a key below one of them."""
        return any(self.key == key or self.key.startswith(f"{key}.") for key in keys)


@dataclass(frozen=True)
class Overrides:
    """Overrides in order; the last one of a key wins. Iterates over strings."""

    items: tuple[Override, ...] = ()

    @classmethod
    def parse(cls, words: Iterable[str]) -> "Overrides":
        """Parse the words of a command line or file: split lists are joined, ``.yaml`` files are expanded.

        A word that is not an override is a ``UserError``.
        """
        if isinstance(words, Overrides):
            return words
        return cls(tuple(_read(word) for word in _expand_files(rejoin_lists(words))))

    def __iter__(self) -> Iterator[str]:
        return map(str, self.items)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def keys(self) -> list[str]:
        """Each key once, in the order of its first override."""
        return list(dict.fromkeys(item.key for item in self.items))

    def get(self, key: str) -> str | None:
        """The value of the key as the last override writes it; None if there is no override of exactly this key."""
        return next((item.value for item in reversed(self.items) if item.key == key), None)

    def at(self, *keys: str) -> "Overrides":
        """The overrides that set one of these keys or a key below one of them."""
        return Overrides(tuple(item for item in self.items if item.is_at(keys)))

    def without(self, *keys: str) -> "Overrides":
        """All but those that set one of these keys or a key below one of them."""
        return Overrides(tuple(item for item in self.items if not item.is_at(keys)))

    def plus(self, more: Iterable[str]) -> "Overrides":
        """These overrides followed by ``more``."""
        return Overrides(self.items + Overrides.parse(more).items)


def _read(word: str) -> Override:
    if len(word) > LONGEST or max(word.count("["), word.count("{")) > DEEPEST or "\0" in word:
        raise UserError(
            f"'{word[:40]}...': an override has at most {LONGEST} characters and "
            f"{DEEPEST} brackets of a kind, and no NUL character."
        )
    sign = next(sign for sign in SIGNS if word.startswith(sign))
    key, equals, value = word[len(sign) :].partition("=")
    if not key or not (equals or sign == "~"):
        raise UserError(f"'{word}' is not an override: write key=value, or the name of a .yaml file.")
    if _is_open(value):
        raise UserError(f"'{word}': a bracket is not closed.")
    if "oc.env" in word:
        raise UserError(
            f"'{word}': oc.env could reveal secrets, because overrides are saved with the results. Use .env."
        )
    return Override(key.replace("/", "."), value if equals else None, sign)


def rejoin_lists(words: Iterable[str]) -> list[str]:
    """Undo the shell's split of ``metrics=["iou", "f1"]`` at its space: join words while a bracket is open."""
    joined: list[str] = []
    for word in words:
        if joined and _is_open(joined[-1].partition("=")[2]):
            joined[-1] += f" {word}"
        else:
            joined.append(word)
    return joined


def _is_open(value: str) -> bool:
    """Whether a value begins as a list or mapping and does not end as one."""
    opened, closed = (sum(value.count(bracket) for bracket in pair) for pair in ("[{", "]}"))
    return value.startswith(("[", "{")) and opened > closed


def _expand_files(words: Iterable[str]) -> Iterator[str]:
    for word in words:
        if _is_file(word):
            yield from load_overrides(Path(word))
        else:
            yield word


def _is_file(word: str) -> bool:
    """Whether a word is a file: ``best.yaml``; ``lr=0.01/best.yaml`` only if that file exists."""
    return word.endswith(".yaml") and ("=" not in word or Path(word).is_file())


def load_overrides(path: Path) -> Overrides:
    """The overrides that a YAML file lists, such as a run's ``overrides.yaml``."""
    listed = read_yaml(path)
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in cast(list[Any], listed)):
        raise UserError(f"{path} must hold a YAML list of overrides, such as '- training.epochs=50'.")
    return Overrides(tuple(_read(word) for word in cast(list[str], listed)))


def save_overrides(overrides: Iterable[str], path: Path) -> None:
    """Write the overrides as a YAML list that ``python run.py PATH`` reads back."""
    replace_text(path, yaml.safe_dump(list(overrides), width=1000))
