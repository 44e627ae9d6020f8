"""Trials are composed again and again here, of words that are the same for all."""

import pytest


@pytest.fixture
def tiny(tiny_here: list[str]) -> list[str]:
    return tiny_here
