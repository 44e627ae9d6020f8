"""Looks up keys of the configuration and options of its groups; explains keys that do not exist."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from src.config.safe_yaml import read_yaml
from src.errors import unknown

CONFIG_DIR = Path(__file__).resolve().parents[2] / "configs"


def folder_of(key: str) -> Path:
    """The folder of a group's options: ``configs/training/loss`` for ``training.loss``."""
    return CONFIG_DIR.joinpath(*key.split("."))


def is_group(key: str) -> bool:
    """Whether ``training.loss`` names a directory of options under ``configs/``."""
    return all(key.split(".")) and folder_of(key).is_dir()


def list_options(group: str) -> list[str]:
    """The names of a group's options, such as ``architectures/unet`` for ``model``; ``group`` is a dotted key."""
    folder = folder_of(group)
    own = [path.stem for path in folder.glob("*.yaml")]
    nested = [f"{path.parent.name}/{path.stem}" for path in folder.glob("*/*.yaml")]
    # model's files are in model/architectures; the other folders under it are groups of their own
    return sorted(own or [name for name in nested if name.startswith(("architectures/", "dataloader/"))])


def value_at(values: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key. An unknown key is a ``UserError`` with the legal keys of the same level."""
    node: Any = values
    for depth, part in enumerate(key.split(".")):
        if not isinstance(node, Mapping) or part not in node:
            place = ".".join(key.split(".")[:depth])
            names = [str(name) for name in cast(Mapping[str, Any], node)] if isinstance(node, Mapping) else []
            legal = [f"{place}.{name}".lstrip(".") for name in names]
            raise unknown("key", key, legal, near=_likely(values, key), hint=_elsewhere(key))
        node = cast(Mapping[str, Any], node)[part]
    return node


def _elsewhere(key: str) -> str:
    """A sentence that names the options of the key's group that have the key; empty if none has."""
    parts = key.split(".")
    for length in range(len(parts) - 1, 0, -1):
        group = ".".join(parts[:length])
        if is_group(group):
            inside = ".".join(parts[length:])
            found = [name for name in list_options(group) if inside in _dotted(_of_file(group, name))]
            choices = ", ".join(f"{group}={name}" for name in found)
            return f"It exists with {choices}." if found else ""
    return ""


def _of_file(group: str, name: str) -> Mapping[str, Any]:
    """The content of the file of a group's option."""
    values = read_yaml(folder_of(group) / f"{name}.yaml")
    return cast(Mapping[str, Any], values) if isinstance(values, Mapping) else {}


def _likely(values: Mapping[str, Any], key: str) -> list[str]:
    """The only key with the same ending, or else the nearest one: ``training.optimizer.lr`` for ``training.lr``."""
    keys = list(_dotted(values))
    leaf = key.rpartition(".")[2]
    alike = [other for other in keys if other.rpartition(".")[2] == leaf]
    return alike if len(alike) == 1 else get_close_matches(key, keys, n=1, cutoff=0.75)


def _dotted(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        yield f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _dotted(cast(Mapping[str, Any], value), f"{prefix}{name}.")
