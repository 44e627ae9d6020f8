"""``python -m src.export``: networks for other software."""

from pathlib import Path

import pytest
from exports import written

from src import export
from src.errors import UserError
from src.exporting import formats


def test_a_folder_with_something_in_it_is_left_alone(checkpoint: Path, tmp_path: Path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match=f"--out={tmp_path}"):
        written(checkpoint, "onnx", tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_without_photographs_to_compare_on_nothing_is_exported(checkpoint: Path, tmp_path: Path):
    with pytest.raises(UserError, match=r"data\.root"):
        written(checkpoint, "onnx", tmp_path / "exported", f"data.root={tmp_path}")
    assert not (tmp_path / "exported").exists()


@pytest.mark.parametrize("word", ["device=cuda", "evaluation.tta=d4", "data.image_size=[64,64]"])
def test_a_key_without_effect_is_refused(word: str, checkpoint: Path, tmp_path: Path):
    with pytest.raises(UserError) as refused:
        written(checkpoint, "onnx", tmp_path / "exported", word)
    assert word in str(refused.value)


def test_the_formats_of_the_command_are_those_that_there_are():
    assert tuple(formats.FORMATS) == export.FORMATS
