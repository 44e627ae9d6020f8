"""The variables ``CRACK_*`` of the environment and ``.env``, and paths that begin with the home folder."""

import os

from dotenv import find_dotenv, load_dotenv

from src.config.overrides import Overrides
from src.errors import UserError
from src.folders import from_home

ROOTS = {"CRACK_DATA_ROOT", "CRACK_OUTPUT_ROOT"}
"""Variables that are paths."""


def read_environment() -> None:
    """Add the variables of ``.env``, if there is one here or above, to the environment; empty ones count as not set."""
    path = find_dotenv(usecwd=True)
    try:
        load_dotenv(path)
    except UnicodeDecodeError as error:  # of an editor on Windows, for instance
        raise UserError(f"{path} is not text in UTF-8: save it as that. {error}.") from error
    for name in [name for name, value in os.environ.items() if name.startswith("CRACK_") and not value]:
        del os.environ[name]
    for name in ROOTS & os.environ.keys():
        os.environ[name] = from_home(os.environ[name])


def with_data_root(overrides: Overrides) -> Overrides:
    """The overrides, with the ``data.root`` of the environment or ``.env`` spelled out.

    So what a run leaves says which data it had, even after the environment has changed.
    """
    read_environment()
    root = os.environ.get("CRACK_DATA_ROOT")
    return (
        Overrides.parse([f"data.root={root}"]).plus(overrides) if root and not overrides.get("data.root") else overrides
    )
