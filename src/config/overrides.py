"""Overrides: ``key=value`` strings, the one language of runs, trials, checkpoints and best configurations.

``Overrides.parse`` reads them once, where they come in; all else asks the object. The grammar of values is Hydra's.
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
"""Characters of an override."""
DEEPEST = 100
"""Brackets in it: Hydra reads them by recursion."""
SIGNS = ("++", "+", "~", "")
"""Hydra's: add or replace, add, remove, replace."""


@dataclass(frozen=True)
class Override:
    """One override. ``++training/epochs=3`` has the key ``training.epochs``."""

    key: str
    """Dotted, also that of a group of files: ``training.loss``."""
    value: str | None
    """As it is written; None of ``~key``, which removes a key."""
    sign: str = ""

    def __str__(self) -> str:
        return f"{self.sign}{self.key}" + ("" if self.value is None else f"={self.value}")

    def is_at(self, keys: Iterable[str]) -> bool:
        """Whether it sets one of these keys, or a key below one of them."""
        return any(self.key == key or self.key.startswith(f"{key}.") for key in keys)


@dataclass(frozen=True)
class Overrides:
    """Overrides in their order: a later one wins over an earlier one with the same key. Iterates over strings."""

    items: tuple[Override, ...] = ()

    @classmethod
    def parse(cls, words: Iterable[str]) -> "Overrides":
        """Of a command line or a file: split lists are joined, and a ``.yaml`` file stands for those that it lists.

        What is not an override is a ``UserError``.
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
        """Those that set one of these keys or a key below one of them."""
        return Overrides(tuple(item for item in self.items if item.is_at(keys)))

    def without(self, *keys: str) -> "Overrides":
        """All but those that set one of these keys or a key below one of them."""
        return Overrides(tuple(item for item in self.items if not item.is_at(keys)))

    def plus(self, more: Iterable[str]) -> "Overrides":
        """These, then ``more``."""
        return Overrides(self.items + Overrides.parse(more).items)


def _read(word: str) -> Override:
    if len(word) > LONGEST or max(word.count("["), word.count("{")) > DEEPEST or "\0" in word:
        raise UserError(f"'{word[:40]}...': longer or more nested than an override can be, or not text.")
    sign = next(sign for sign in SIGNS if word.startswith(sign))
    key, equals, value = word[len(sign) :].partition("=")
    if not key or not (equals or sign == "~"):
        raise UserError(f"'{word}' is not an override: write key=value, or the name of a .yaml file.")
    if _is_open(value):
        raise UserError(f"'{word}': a bracket is not closed.")
    if "oc.env" in word:
        raise UserError(f"'{word}': overrides are kept in results, and the environment may hold secrets; see .env.")
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
    """``best.yaml``, and ``lr=0.01/best.yaml`` if there is such a file; else that is a value."""
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
