"""Reads CrackForest's Matlab files in a separate process, because some damaged files crash scipy's reader.

The documentation of ``loadmat`` warns of that: it is not hardened against untrusted input.
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
"""Limit for the reader's address space: a compressed file can claim to be a thousand times as large."""
one_at_a_time = Lock()
"""Held while a file is read, so that it is known which file crashed the reader."""


def read_labels(path: Path) -> UInt8Array:
    """Mask of a CrackForest .mat: (H, W) uint8 in {0, 1}, 1 = labels 2 and 4 of 1..4. ``UserError`` naming the file."""
    refuse_irregular(path)
    with one_at_a_time:
        try:
            _reader().send(path)
            labels = _reader().recv()
        except (EOFError, ConnectionError) as error:
            _reader.cache_clear()
            raise UserError(f"Cannot read {path}: it is damaged and crashed the reader of Matlab files.") from error
    if isinstance(labels, str):
        raise UserError(f"Cannot read {path} as CrackForest's groundTruth.Segmentation: {labels}.")
    if labels.ndim != 2 or not np.isin(labels, (1, 2, 3, 4)).all():
        raise UserError(f"{path}: groundTruth.Segmentation must be a matrix of labels 1 to 4.")
    return np.isin(labels, (2, 4)).astype(np.uint8)


@lru_cache
def _reader() -> Any:
    """A pipe to a reader process. The process ends with this one, when the pipe is closed."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    spawn.Process(target=serve, args=(there,), daemon=True).start()
    there.close()
    return here


def serve(pipe: Any) -> None:
    """Answer each path with its labels, or with the text of the error."""
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
        except Exception as error:  # damaged files raise anything from OSError to zlib.error
            pipe.send(repr(error))
