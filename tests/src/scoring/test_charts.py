"""The confusion matrix and the precision-recall curve."""

from pathlib import Path

import numpy as np

from src.data.files import read_image
from src.scoring.charts import draw_confusion_matrix, draw_curve


def test_the_diagrams_are_drawn(tmp_path: Path):
    draw_confusion_matrix(((90, 5), (2, 3)), tmp_path / "matrix.png")
    falling = np.linspace(1, 0, 256)
    draw_curve(falling, falling[::-1].copy(), 100, 0.5, tmp_path / "curve.png")
    for name in ("matrix.png", "curve.png"):
        assert read_image(tmp_path / name).std() > 10
