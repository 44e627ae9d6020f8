"""The table of predictions."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from networks import Redness, network_of

from src.predicting.table import Row, name_of, read_rows, write_rows
from src.scoring.inference import Network


@pytest.fixture
def network(tiny: list[str], tmp_path: Path) -> Network:
    (tmp_path / "best_model.pth").write_bytes(b"weights")
    return replace(network_of(Redness(), tiny), checkpoint=tmp_path / "best_model.pth")


def row(mask: str, network: str) -> Row:
    return {"photograph": f"/photographs/{mask}", "mask": f"masks/{mask}", "network": network}


def predict(out: Path, masks: list[str], network: str) -> None:
    """As if these masks had been predicted."""
    before = read_rows(out)
    (out / "masks").mkdir(exist_ok=True)
    for mask in masks:
        (out / "masks" / mask).write_bytes(b"")
    write_rows(out, before, [row(mask, network) for mask in masks])


def networks(out: Path) -> dict[str, str]:
    """The network of each mask in the table."""
    with (out / "predictions.csv").open(newline="") as file:
        return {line["mask"].removeprefix("masks/"): line["network"] for line in csv.DictReader(file)}


def test_a_network_is_known_by_its_file_and_by_what_is_in_it(network: Network):
    before = name_of(network)
    assert before.startswith(f"{network.checkpoint} ")
    network.checkpoint.write_bytes(b"other weights")
    assert name_of(network) != before


def test_a_mean_is_known_by_all_its_networks(network: Network, tmp_path: Path):
    (tmp_path / "other.pth").write_bytes(b"more")
    other = replace(network, checkpoint=tmp_path / "other.pth")
    assert name_of(replace(network, members=(network, other))) == f"{name_of(network)}; {name_of(other)}"


def test_masks_of_another_network_that_are_replaced_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    predict(tmp_path, ["a.png", "b.png", "c.png"], "first.pth")
    predict(tmp_path, ["a.png"], "first.pth")
    assert capsys.readouterr().out == ""
    predict(tmp_path, ["b.png", "d.png"], "second.pth")
    assert "replaced: 1, of first.pth" in capsys.readouterr().out
    assert networks(tmp_path) == {
        "a.png": "first.pth",
        "b.png": "second.pth",
        "c.png": "first.pth",
        "d.png": "second.pth",
    }


def test_masks_that_are_gone_are_no_longer_listed_and_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    predict(tmp_path, ["a.png", "b.png"], "first.pth")
    for mask in ("a.png", "b.png"):
        (tmp_path / "masks" / mask).unlink()
    predict(tmp_path, ["b.png"], "second.pth")
    assert networks(tmp_path) == {"b.png": "second.pth"}
    assert capsys.readouterr().out == ""


def test_a_column_that_someone_has_added_stays(tmp_path: Path):
    predict(tmp_path, ["a.png"], "first.pth")
    lines = (tmp_path / "predictions.csv").read_text().splitlines()
    (tmp_path / "predictions.csv").write_text(f"{lines[0]},note\n{lines[1]},look again\n")
    predict(tmp_path, ["b.png"], "first.pth")
    with (tmp_path / "predictions.csv").open(newline="") as file:
        assert [line["note"] for line in csv.DictReader(file)] == ["look again", ""]


def test_a_table_from_before_networks_were_named_keeps_its_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "masks").mkdir()
    for mask in ("a.png", "b.png"):
        (tmp_path / "masks" / mask).write_bytes(b"")
    (tmp_path / "predictions.csv").write_text("photograph,mask\n/x/a.png,masks/a.png\n/x/b.png,masks/b.png\n")
    predict(tmp_path, ["b.png"], "new.pth")
    assert networks(tmp_path) == {"a.png": "", "b.png": "new.pth"}
    assert "unknown" in capsys.readouterr().out


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe", b"a,b\n1,2\n", b"", b"photograph,mask\nx,/etc/passwd\n", b"photograph,mask\nx,masks/b.png,more\n"],
)
def test_a_file_that_is_no_such_table_is_replaced(tmp_path: Path, content: bytes):
    (tmp_path / "predictions.csv").write_bytes(content)
    predict(tmp_path, ["a.png"], "new.pth")
    assert networks(tmp_path) == {"a.png": "new.pth"}
