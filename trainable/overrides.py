"""A trial as overrides. It needs neither torch nor Ray, so that checks and plans do not wait for them."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from src.config.overrides import Overrides


def trial_overrides(fixed: Iterable[str], params: Mapping[str, Any]) -> Overrides:
    """All overrides of the trial: with them ``run.py`` repeats it, bit for bit on a CPU."""
    return Overrides.parse(fixed).plus(f"{key}={override_value(value)}" for key, value in params.items())


def override_value(value: Any) -> str:
    """A sampled value as text that Hydra reads back exactly: floats with all digits, ``null``, lists in brackets."""
    return str(value) if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
