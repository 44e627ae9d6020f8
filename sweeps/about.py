"""Reads ``sweep.yaml``, the description of a sweep in its folder; ``sweeps.plan`` writes it."""

from pathlib import Path
from typing import Any, cast

from src.config.safe_yaml import read_yaml
from src.errors import UserError

ABOUT_FILE = "sweep.yaml"
PARTS = {"metric": str, "fixed": list, "space": list, "trial_0": dict} | dict.fromkeys(
    ("scheduler", "budget", "resources", "provenance"), dict
)
"""The keys of ``sweep.yaml`` that are read again, with their types."""

PATH_KEYS = ("output_root", "data.root", "data.cache_dir")
"""Overrides that are paths. Folders may be moved, so paths do not belong to the identity of a sweep."""


def read_about(folder: Path) -> dict[str, Any]:
    """Read the file that ``SweepPlan.save`` wrote. A file that lacks a key of ``PARTS`` is a ``UserError``."""
    path = folder / ABOUT_FILE
    content = read_yaml(path)
    parts = cast(dict[str, Any], content) if isinstance(content, dict) else {}
    if isinstance(asha := parts.get("asha"), dict):  # written by an older version
        asha = cast(dict[str, Any], asha)
        parts["scheduler"] = {"name": "asha", "described": f"one in {asha.get('reduction_factor')}", **asha}
    for key, kind in PARTS.items():
        if not isinstance(parts.get(key), kind):
            raise UserError(f"{path} is damaged, or no sweep wrote it: '{key}' is missing or has another type.")
    return parts
