"""A trial as overrides. It needs neither torch nor Ray, so that checks and plans do not wait for them."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from src.config.overrides import Overrides

SWEEP = "{sweep}"
"""In a sampled text: the sweep's own folder, wherever it is now."""


def placed(params: Mapping[str, Any], sweep: Path) -> dict[str, Any]:
    """The parameters of a trial with the sweep's folder in place of ``SWEEP``."""
    return {
        key: value.replace(SWEEP, str(sweep.absolute())) if isinstance(value, str) else value
        for key, value in params.items()
    }


def trial_overrides(fixed: Iterable[str], params: Mapping[str, Any]) -> Overrides:
    """All overrides of the trial: with them ``run.py`` repeats it, bit for bit on a CPU."""
    return Overrides.parse(fixed).plus(f"{key}={override_value(value)}" for key, value in params.items())


def override_value(value: Any) -> str:
    """A sampled value as text that Hydra reads back exactly: floats with all digits, ``null``, lists in brackets."""
    return str(value) if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
