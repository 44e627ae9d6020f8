"""Reads untrusted YAML files: only plain data, never code, and only small files."""

from pathlib import Path
from typing import Any

import yaml

from src.errors import UserError
from src.folders import refuse_irregular

LARGEST = 256 * 1024
"""Largest file in bytes; those that this program writes have a few thousand."""


class PlainLoader(yaml.SafeLoader):
    """A loader that refuses aliases, by which a few hundred bytes could become gigabytes (``<<``).

    It also refuses repeated keys in one mapping, of which only the last value would count.
    """

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (values that refer to others) are not allowed")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        found = super().construct_mapping(node, deep)
        if len(found) < len(node.value):
            raise yaml.YAMLError(f"a key occurs twice in one mapping, {' '.join(str(node.start_mark).split())}")
        return found


def read_yaml(path: Path) -> Any:
    """The content of a file. One that is not a file, too large, or not plain YAML is a ``UserError``."""
    refuse_irregular(path)
    try:
        if (size := path.stat().st_size) > LARGEST:
            raise UserError(f"{path} has {size} bytes; at most {LARGEST} are read.")
        return yaml.load(path.read_text(), PlainLoader)
    except RecursionError as error:
        raise UserError(f"Cannot read {path}: it is nested too deeply.") from error
    except (OSError, ValueError, yaml.YAMLError) as error:  # an invalid date or number is a ValueError
        raise UserError(f"Cannot read {path}: {' '.join(str(error).split())}.") from error
