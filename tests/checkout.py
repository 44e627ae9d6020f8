"""Where this checkout is, and the data that may lie beside it."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
"""Data sets and documents that are never part of the repository: a test that needs them skips where they are absent."""
