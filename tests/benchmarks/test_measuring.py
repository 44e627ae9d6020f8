"""The benchmark of measuring: are its cracks as long and as wide as they are said to be?"""

import json
from pathlib import Path

import numpy as np
import pytest
from drawn import mask

from benchmarks import measuring
from benchmarks.drawn_cracks import KINDS, draw_cracks


def test_drawn_cracks_have_the_area_of_their_length_and_width():
    for drawn in draw_cracks(4, (0, 20)):
        shared = 4 * 4 / 2 / np.sin(np.radians(70)) if drawn.kind == "branched" else 0
        assert drawn.mask.sum() + shared == pytest.approx(drawn.length * drawn.width, rel=0.03), drawn.kind
        assert not drawn.mask[[0, -1]].any()


@pytest.mark.slow
def test_the_benchmark_lists_every_crack(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    mask(tmp_path / "masks" / "a.png")
    kept = tmp_path / "found.json"
    measuring.main(["--widths", "3", "--json", str(kept), "--masks", str(tmp_path / "masks")])
    found = json.loads(kept.read_text())
    assert len(found) == len(KINDS) * len(measuring.ANGLES)
    assert all(abs(one["ours"]["width"] - 3) < 1 for one in found)
    assert "masks: 1 masks" in capsys.readouterr().out
