"""Thirty lines that use an exported network."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from exports import written

from src import export
from src.data.files import UInt8Array, read_image
from src.predict import main as predict


def grey(path: Path) -> UInt8Array:
    found = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert found is not None
    return found.astype(np.uint8)


def test_the_example_with_onnxruntime_alone_gives_the_masks_of_predict_pixel_by_pixel(
    checkpoint: Path, tiny_data: Path, tmp_path: Path
):
    out = tmp_path / "exported"
    written(checkpoint, "onnx", out)
    photographs = sorted((tiny_data / "test" / "images").iterdir())[:2]
    large = tmp_path / "large.png"
    picture = read_image(photographs[0])
    cv2.imwrite(str(large), cv2.cvtColor(np.tile(picture, (3, 2, 1))[:85, :], cv2.COLOR_RGB2BGR))
    photographs.append(large)  # of several tiles
    predict([str(checkpoint), *map(str, photographs), "--out", str(tmp_path / "ours"), "device=cpu"])
    for path in photographs:
        mask = tmp_path / f"{path.stem}.png"
        elsewhere = tmp_path / "elsewhere"  # nothing of this project is there
        elsewhere.mkdir(exist_ok=True)
        command = [sys.executable, "-I", str(out / "predict.py"), str(path), str(mask)]
        subprocess.run(command, check=True, cwd=elsewhere)
        ours = grey(tmp_path / "ours" / "masks" / f"{path.stem}.png")
        theirs = grey(mask)
        assert ours.shape == theirs.shape
        assert (ours != theirs).sum() == 0
        assert 0 < (ours > 0).mean() < 1
    lines = [line for line in export.EXAMPLE.read_text().splitlines() if line.strip()]
    assert len(lines) <= 30


@pytest.mark.slow
def test_the_example_says_how_it_is_used_and_what_is_no_photograph(checkpoint: Path, tmp_path: Path):
    out = tmp_path / "exported"
    written(checkpoint, "onnx", out)
    for words, named in (([], "PHOTOGRAPH MASK.png"), (["nowhere.png", "mask.png"], "nowhere.png")):
        done = subprocess.run([sys.executable, str(out / "predict.py"), *words], capture_output=True, text=True)
        assert done.returncode == 1
        assert named in done.stderr
        assert "Traceback" not in done.stderr
