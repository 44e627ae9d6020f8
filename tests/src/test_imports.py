"""Large imports."""

import gc

import pytest

from src.imports import quick_imports


def test_nothing_is_collected_within_and_afterwards_as_before():
    with quick_imports():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_import_that_fails_leaves_the_collector_on():
    with pytest.raises(ImportError), quick_imports():
        raise ImportError
    assert gc.isenabled()
