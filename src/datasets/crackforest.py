"""CrackForest's Matlab files, read in a process of its own: scipy's reader dies of some that are damaged.

Its documentation says so of ``loadmat``: it is not hardened for untrusted input.
"""

import multiprocessing
import resource
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, cast

import numpy as np
from scipy.io import loadmat  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

from src.data.files import UInt8Array
from src.errors import UserError
from src.folders import refuse_irregular

READER_BYTES = 4 * 2**30
"""Address space of the reader: a compressed file may say that it is a thousand times as large."""
one_at_a_time = Lock()
"""So that it is known which file the reader died of."""


def read_labels(path: Path) -> UInt8Array:
    """Mask of a CrackForest .mat: (H, W) uint8 in {0, 1}, 1 = labels 2 and 4 of 1..4. ``UserError`` naming the file."""
    refuse_irregular(path)
    with one_at_a_time:
        try:
            _reader().send(path)
            labels = _reader().recv()
        except (EOFError, ConnectionError) as error:
            _reader.cache_clear()
            raise UserError(f"Cannot read {path}: it is damaged, and Matlab's reader died of it.") from error
    if isinstance(labels, str):
        raise UserError(f"Cannot read {path} as CrackForest's groundTruth.Segmentation: {labels}.")
    if labels.ndim != 2 or not np.isin(labels, (1, 2, 3, 4)).all():
        raise UserError(f"{path}: groundTruth.Segmentation must be a matrix of labels 1 to 4.")
    return np.isin(labels, (2, 4)).astype(np.uint8)


@lru_cache
def _reader() -> Any:
    """The way to a reader of our own. It ends when we do, for then nobody holds this end."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    spawn.Process(target=serve, args=(there,), daemon=True).start()
    there.close()
    return here


def serve(pipe: Any) -> None:
    """Answer each path with the labels, or with what was wrong, in words."""
    resource.setrlimit(resource.RLIMIT_AS, (READER_BYTES, READER_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while True:
        try:
            path = pipe.recv()
        except EOFError:
            return
        try:
            about = cast(Any, loadmat(path, simplify_cells=True))
            pipe.send(np.asarray(about["groundTruth"]["Segmentation"]))
        except Exception as error:  # a damaged file makes scipy raise anything from OSError to zlib.error
            pipe.send(repr(error))
