"""``sweep.yaml``, in which a sweep's folder says what it is, as others read it; ``sweeps.plan`` writes it."""

from pathlib import Path
from typing import Any, cast

from src.config.safe_yaml import read_yaml
from src.errors import UserError

PARTS = {"metric": str, "fixed": list, "space": list, "trial_0": dict} | dict.fromkeys(
    ("asha", "budget", "resources", "provenance"), dict
)
"""Those that are read again, and what they are."""

PLACES = ("output_root", "data.root", "data.cache_dir")
"""Overrides that say where things lie, which may be moved: no part of what a sweep is."""


def read_about(folder: Path) -> dict[str, Any]:
    """What ``SweepPlan.save`` has written in a sweep's folder. A file that lacks some of it is a ``UserError``."""
    path = folder / "sweep.yaml"
    found = read_yaml(path)
    parts = found if isinstance(found, dict) else {}
    for key, kind in PARTS.items():
        if not isinstance(parts.get(key), kind):
            raise UserError(f"{path} is not as a sweep writes it: '{key}' is missing or damaged.")
    return cast(dict[str, Any], found)
