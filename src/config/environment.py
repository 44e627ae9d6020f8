"""Reads the variables ``CRACK_*`` of the environment and of ``.env``."""

import os

from dotenv import find_dotenv, load_dotenv

from src.config.overrides import Overrides
from src.errors import UserError
from src.folders import from_home

ROOTS = {"CRACK_DATA_ROOT", "CRACK_OUTPUT_ROOT"}
"""Variables that are paths."""


def read_environment() -> None:
    """Add the variables of ``.env``, here or in a folder above, to the environment; empty ones count as not set."""
    path = find_dotenv(usecwd=True)
    try:
        load_dotenv(path)
    except UnicodeDecodeError as error:  # such as from an editor on Windows
        raise UserError(f"{path} is not UTF-8: save it as UTF-8. {error}.") from error
    for name in [name for name, value in os.environ.items() if name.startswith("CRACK_") and not value]:
        del os.environ[name]
    for name in ROOTS & os.environ.keys():
        os.environ[name] = from_home(os.environ[name])


def with_data_root(overrides: Overrides) -> Overrides:
    """Add ``data.root`` from the environment or ``.env`` to the overrides.

    So a run's saved overrides name its data, even after the environment has changed.
    """
    read_environment()
    root = os.environ.get("CRACK_DATA_ROOT")
    return (
        Overrides.parse([f"data.root={root}"]).plus(overrides) if root and not overrides.get("data.root") else overrides
    )
