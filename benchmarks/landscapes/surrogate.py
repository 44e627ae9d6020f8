"""Reads the networks of YAHPO (Pfisterer et al. 2022, arXiv 2109.03670) that stand for a table of trainings."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import onnxruntime

from benchmarks.landscapes.landscape import SHARED
from src.errors import UserError


@cache
def surrogate(name: str) -> tuple[Any, dict[str, dict[str, int]]]:
    """The network, on one thread, and its code for each category."""
    folder: Path = SHARED / name
    if not folder.is_dir():
        raise UserError(f"The surrogate is not in {folder}: model.onnx and encoding.json of yahpo_data's {name}.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(folder / "model.onnx"), options), json.loads(
        (folder / "encoding.json").read_text()
    )
