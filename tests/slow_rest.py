"""Families of tests of which the first members run always, and the others with the slow tests."""

from collections.abc import Sequence
from typing import Any

import pytest


def slow_rest(values: Sequence[Any], always: int = 1) -> list[Any]:
    """The values of a parameter, all but the first ones marked slow."""
    return [*values[:always], *(pytest.param(value, marks=pytest.mark.slow) for value in values[always:])]
