"""Adding photographs to a data folder."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.errors import UserError
from src.prepare import main


def pairs(folder: Path, names: range, seed: int = 0) -> Path:
    """Photographs of noise, each with a crack."""
    for number in names:
        noise = np.random.default_rng(seed + number).integers(0, 255, (64, 64, 3), dtype=np.uint8)
        mask = np.zeros((64, 64), np.uint8)
        mask[10 + number % 30] = 255
        for kind, values in (("images", noise), ("masks", mask)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(folder / kind / f"p{number:02}.png")
    return folder


def table(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "manifest.csv").open(newline="") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


@pytest.fixture
def first(tmp_path: Path) -> Path:
    main([str(pairs(tmp_path / "old", range(12))), "--out", str(tmp_path / "first")])
    return tmp_path / "first"


def test_new_photographs_are_in_training_and_the_others_stay_where_they_were(first: Path, tmp_path: Path):
    new = pairs(tmp_path / "new", range(20, 25))
    main([str(new), "--add-to", str(first), "--out", str(tmp_path / "second")])
    before, after = table(first), table(tmp_path / "second")
    assert {name: after[name]["split"] for name in before} == {name: row["split"] for name, row in before.items()}
    assert {name: after[name]["group"] for name in before} == {name: row["group"] for name, row in before.items()}
    assert {after[name]["split"] for name in after.keys() - before.keys()} == {"train"}
    assert len(after) == 17
    assert all((tmp_path / row["source"]).is_file() for row in after.values())


def test_new_photographs_of_a_place_of_the_test_split_are_left_out(
    first: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    held = next(name for name, row in table(first).items() if row["split"] == "test")
    new = pairs(tmp_path / "new", range(20, 23))
    for kind in ("images", "masks"):
        (new / kind / "again.png").write_bytes((first / "test" / kind / f"{held}.png").read_bytes())
    main([str(new), "--add-to", str(first), "--out", str(tmp_path / "second"), "--find-groups"])
    assert "again" not in table(tmp_path / "second")
    assert len(table(tmp_path / "second")) == 15
    assert "1 new photographs show places of validation or test" in capsys.readouterr().out


def test_what_cannot_be_added_is_refused_and_nothing_is_written(first: Path, tmp_path: Path):
    new, again = pairs(tmp_path / "new", range(20, 22)), pairs(tmp_path / "again", range(1), seed=50)
    for words, said in (
        ([str(again), "--add-to", str(first)], "p00"),
        ([str(new), "--add-to", str(new)], "is in no split"),
        ([str(new), "--add-to", str(first), "--resplit"], "--resplit"),
        ([str(new), "--add-to", str(tmp_path / "nowhere")], "nowhere"),
    ):
        with pytest.raises(UserError) as refused:
            main([*words, "--out", str(tmp_path / "second")])
        assert said in str(refused.value)
        assert not (tmp_path / "second").exists()
