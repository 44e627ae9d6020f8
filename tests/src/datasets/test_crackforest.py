"""CrackForest's Matlab files."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from checkout import ROOT
from scipy.io import savemat

from src.datasets.crackforest import read_labels
from src.errors import UserError


def save_labels(path: Path, labels: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"groundTruth": {"Segmentation": labels}})
    return path


def test_crack_in_a_mat_file_is_labels_2_and_4(tmp_path: Path):
    labels = np.array([[1, 2, 3], [4, 1, 1]], np.uint8)
    mask = read_labels(save_labels(tmp_path / "001.mat", labels))
    assert mask.dtype == np.uint8
    assert mask.tolist() == [[0, 1, 0], [1, 0, 0]]


def test_a_mat_file_without_such_labels_is_refused_by_name(tmp_path: Path):
    (tmp_path / "damaged.mat").write_bytes(b"MATLAB 5.0")
    savemat(tmp_path / "other.mat", {"something": 1})
    save_labels(tmp_path / "labels.mat", np.array([[0, 7]], np.uint8))
    for name in ("damaged", "other", "labels"):
        with pytest.raises(UserError, match=rf"{name}\.mat"):
            read_labels(tmp_path / f"{name}.mat")


def deadly() -> bytes:
    """A file that names a kind of number that there is none of, of which scipy's reader dies (scipy 1.17)."""
    stream = io.BytesIO()
    savemat(stream, {"groundTruth": {"Segmentation": np.ones((2, 2))}})
    content = bytearray(stream.getvalue())
    content[-40] = 8
    return bytes(content)


def test_a_file_that_its_reader_dies_of_is_refused_and_the_next_one_read(tmp_path: Path):
    (tmp_path / "deadly.mat").write_bytes(deadly())
    good = save_labels(tmp_path / "good.mat", np.ones((2, 2)))
    assert not read_labels(good).any()
    with pytest.raises(UserError, match=r"deadly\.mat"):
        read_labels(tmp_path / "deadly.mat")
    assert not read_labels(good).any()


def test_the_reader_ends_with_the_program_that_asks_it_however_that_ends(tmp_path: Path):
    path = save_labels(tmp_path / "good.mat", np.ones((2, 2)))
    ask = f"""
import os, signal
from multiprocessing import active_children
from pathlib import Path
from src.datasets.crackforest import read_labels

if __name__ == "__main__":
    read_labels(Path({str(path)!r}))
    print(active_children()[0].pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    script = tmp_path / "ask.py"
    script.write_text(ask)
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=60
    )
    assert done.returncode == -signal.SIGKILL
    reader = int(done.stdout)
    for _ in range(100):
        try:
            os.kill(reader, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    raise AssertionError("the reader lives on")
