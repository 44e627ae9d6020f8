"""The notebooks: run from top to bottom on a real sweep, with their figures; kept without outputs and logic."""

import base64
from pathlib import Path
from typing import Any

import cv2
import nbformat
import numpy as np
import pytest
from checkout import ROOT
from finished import FinishedSweep
from nbclient import NotebookClient
from slow_rest import slow_rest

NOTEBOOKS = sorted((ROOT / "analysis" / "notebooks").glob("*.ipynb"))
FIGURES = {"01_sweep_overview": 3, "02_learning_curves_and_rungs": 2, "03_best_configurations": 2}


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]


def test_there_is_one_for_each_question():
    assert [path.stem for path in NOTEBOOKS] == list(FIGURES)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_kept_without_outputs_and_defines_nothing(path: Path):
    cells = [cell for cell in read(path).cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)
    words = {word for cell in cells for word in cell.source.split()}
    assert not words & {"def", "class", "for", "while", "lambda", "if"}
    lines = [line for cell in cells for line in cell.source.splitlines() if line.startswith(("import ", "from "))]
    assert all(line.split()[1].startswith(("analysis.", "IPython.", "pathlib")) for line in lines)


@pytest.mark.parametrize("path", slow_rest(NOTEBOOKS), ids=lambda path: path.stem)
def test_it_runs_from_top_to_bottom_and_shows_its_figures(path: Path, finished_sweep: FinishedSweep):
    notebook = read(path)
    head = notebook.cells[1]
    for old, new in (('"quickstart"', '"tiny_sweep"'), ('"../../outputs"', repr(str(finished_sweep.output_root)))):
        assert old in head.source
        head.source = head.source.replace(old, new)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(path.parent)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.get("name") == "stderr"]  # no warning either
    assert any("tiny_sweep: finished, 4 trials" in output.get("text", "") for output in outputs)
    pictures = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == FIGURES[path.stem]
    for picture in pictures:
        drawn = cv2.imdecode(np.frombuffer(base64.b64decode(picture), dtype=np.uint8), cv2.IMREAD_COLOR)
        assert drawn is not None
        assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 20  # something is on it
