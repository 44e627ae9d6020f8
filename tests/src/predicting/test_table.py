"""The table of predictions."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from networks import Redness, network_of

from src.predicting.table import Row, name_of, write_rows
from src.scoring.inference import Network


@pytest.fixture
def network(tiny: list[str], tmp_path: Path) -> Network:
    (tmp_path / "best_model.pth").write_bytes(b"weights")
    return replace(network_of(Redness(), tiny), checkpoint=tmp_path / "best_model.pth")


def row(mask: str, network: str) -> Row:
    return {"photograph": f"/photographs/{mask}", "mask": f"masks/{mask}", "network": network}


def predict(out: Path, masks: list[str], network: str) -> None:
    """As if these masks had been predicted."""
    (out / "masks").mkdir(exist_ok=True)
    for mask in masks:
        (out / "masks" / mask).write_bytes(b"")
    write_rows(out, [row(mask, network) for mask in masks])


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


def test_masks_that_are_replaced_are_counted_with_their_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    predict(tmp_path, ["a.png", "b.png", "c.png"], "first.pth")
    assert capsys.readouterr().out == ""
    predict(tmp_path, ["b.png", "d.png"], "second.pth")
    assert "1 earlier masks" in (said := capsys.readouterr().out)
    assert "first.pth" in said
    (tmp_path / "masks" / "c.png").unlink()
    predict(tmp_path, ["e.png"], "second.pth")
    assert networks(tmp_path) == {
        name: "first.pth" if name == "a.png" else "second.pth" for name in ("a.png", "b.png", "d.png", "e.png")
    }


def test_a_table_from_before_networks_were_named_keeps_its_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "masks").mkdir()
    for mask in ("a.png", "b.png"):
        (tmp_path / "masks" / mask).write_bytes(b"")
    (tmp_path / "predictions.csv").write_text("photograph,mask\n/x/a.png,masks/a.png\n/x/b.png,masks/b.png\n")
    predict(tmp_path, ["b.png"], "new.pth")
    assert networks(tmp_path) == {"a.png": "", "b.png": "new.pth"}
    assert "unknown" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a,b\n1,2\n", b""])
def test_a_file_that_is_no_such_table_is_replaced(tmp_path: Path, content: bytes):
    (tmp_path / "predictions.csv").write_bytes(content)
    predict(tmp_path, ["a.png"], "new.pth")
    assert networks(tmp_path) == {"a.png": "new.pth"}
