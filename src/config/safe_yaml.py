"""YAML files that may come from anyone: they are data, never code, and small."""

from pathlib import Path
from typing import Any

import yaml

from src.errors import UserError
from src.folders import refuse_irregular

LARGEST = 256 * 1024
"""Bytes; those that this program writes have a few thousand."""


class PlainLoader(yaml.SafeLoader):
    """Without aliases: by merging them (``<<``) a few hundred bytes would become gigabytes.

    Without a key that stands twice in one mapping, too: of two values the last one would win.
    """

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("a value that refers to another one is not read here")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        found = super().construct_mapping(node, deep)
        if len(found) < len(node.value):
            raise yaml.YAMLError(f"a key stands twice in one mapping, {' '.join(str(node.start_mark).split())}")
        return found


def read_yaml(path: Path) -> Any:
    """What the file holds. One that is no file, too large, or no YAML of plain values is a ``UserError``."""
    refuse_irregular(path)
    try:
        if (size := path.stat().st_size) > LARGEST:
            raise UserError(f"{path} has {size} bytes: more than {LARGEST}, the most that is read.")
        return yaml.load(path.read_text(), PlainLoader)
    except RecursionError as error:
        raise UserError(f"Cannot read {path}: it is nested too deeply.") from error
    except (OSError, ValueError, yaml.YAMLError) as error:  # a date or a number that is none is a ValueError
        raise UserError(f"Cannot read {path}: {' '.join(str(error).split())}.") from error
