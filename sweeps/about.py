"""Reads ``sweep.yaml``, the description of a sweep in its folder; ``sweeps.plan`` writes it."""

from pathlib import Path
from typing import Any, cast

from src.config.safe_yaml import read_yaml
from src.errors import UserError

PARTS = {"metric": str, "fixed": list, "space": list, "trial_0": dict} | dict.fromkeys(
    ("scheduler", "budget", "resources", "provenance"), dict
)
"""Keys that are read again, and their types."""

PATH_KEYS = ("output_root", "data.root", "data.cache_dir")
"""Overrides that are paths. Folders may be moved, so paths are no part of what makes two sessions one sweep."""


def read_about(folder: Path) -> dict[str, Any]:
    """What ``SweepPlan.save`` has written in a sweep's folder. A file that lacks some of it is a ``UserError``."""
    path = folder / "sweep.yaml"
    found = read_yaml(path)
    parts = cast(dict[str, Any], found) if isinstance(found, dict) else {}
    if "asha" in parts:  # of an older version
        asha = parts.pop("asha")
        parts["scheduler"] = {"name": "asha", "described": f"one in {asha.get('reduction_factor')}", **asha}
    for key, kind in PARTS.items():
        if not isinstance(parts.get(key), kind):
            raise UserError(f"{path} is damaged, or no sweep wrote it: '{key}' is missing or has another type.")
    return parts
