"""The words of commands that use trained networks."""

from pathlib import Path

import pytest

from src.errors import UserError
from src.inputs import Inputs, find_photographs, refuse_threshold


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_words_are_checkpoints_by_their_ending_overrides_by_their_sign_and_photographs_otherwise(tmp_path: Path):
    names = ("first", "second.pth", "lr=0.1.pth", "a.png", "b=1.png")
    first, second, third, photograph, odd = (tmp_path / name for name in names)
    for path in (first, second, third, photograph, odd):
        path.touch()
    words = [str(photograph), str(second), "device=cpu", str(third), str(odd)]
    inputs = Inputs.of(first, words)
    assert inputs.checkpoints == (first, second, third)
    assert inputs.photographs == (photograph, odd)
    assert list(inputs.overrides) == ["device=cpu"]


def test_a_further_checkpoint_that_does_not_exist_is_named(tmp_path: Path):
    (tmp_path / "a.pth").touch()
    with pytest.raises(UserError, match=r"nope=1\.pth"):
        Inputs.of(tmp_path / "a.pth", ["nope=1.pth"])


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_is_a_probability(threshold: float):
    with pytest.raises(UserError, match="--threshold"):
        refuse_threshold(threshold)
    for legal in (None, 0, 1, 0.5):
        refuse_threshold(legal)


def test_photographs_whose_results_would_overwrite_each_other_are_refused(tmp_path: Path):
    one, other = picture(tmp_path / "x" / "a.png"), picture(tmp_path / "y" / "a.jpg")
    with pytest.raises(UserError, match="have the same stem"):
        find_photographs([one.parent, other])


def test_a_folder_without_photographs_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match=f"No photograph in {tmp_path}"):
        find_photographs([tmp_path])


def test_a_photograph_that_is_named_twice_is_predicted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = picture(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    assert find_photographs([path, Path("a.png")]) == [path]


def test_photographs_in_folders_below_are_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    picture(tmp_path / "a.png")
    picture(tmp_path / "more" / "b.png")
    assert find_photographs([tmp_path]) == [tmp_path / "a.png"]
    assert (
        f"Skipped 1 image files in subfolders of {tmp_path}, such as {tmp_path / 'more' / 'b.png'}"
        in capsys.readouterr().out
    )
    assert len(find_photographs([tmp_path, tmp_path / "more"])) == 2
