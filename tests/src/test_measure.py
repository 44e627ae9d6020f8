"""``python -m src.measure``: from masks to lengths and widths."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from geotiffs import write_geotiff
from PIL import Image

from src.errors import UserError
from src.measure import main


def scene(folder: Path) -> Path:
    """A data folder with two photographs: one with a crack of 8 pixels, one of 3."""
    for name, width in (("wide", 8), ("fine", 3)):
        mask = np.zeros((120, 200), np.uint8)
        mask[50 : 50 + width, 20:180] = 255
        for kind, values in (("images", 255 - mask), ("masks", mask)):
            (folder / "test" / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(folder / "test" / kind / f"{name}.png")
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_data_folder_is_measured_in_millimetres(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    main([str(scene(tmp_path / "data")), "--out", str(out), "--mm-per-pixel", "2", "--severity", "ltpp"])
    found = {row["photograph"]: row for row in rows(out / "cracks.csv")}
    assert {name: row["severity"] for name, row in found.items()} == {"fine.png": "low", "wide.png": "moderate"}
    for name, width in (("fine.png", 6), ("wide.png", 16)):
        assert float(found[name]["length_mm"]) == pytest.approx(320, rel=0.02)
        assert float(found[name]["width_mean_mm"]) == pytest.approx(width, abs=0.5)
    assert len(rows(out / "photographs.csv")) == 2
    assert {path.name for path in (out / "overlays").iterdir()} == {"fine.png", "wide.png"}
    assert "wide.png" in (out / "report.html").read_text()
    assert (out / "mine.txt").read_text() == "mine"
    assert "1 crack" in capsys.readouterr().out


def test_a_second_measurement_replaces_the_first(tmp_path: Path):
    data, out = scene(tmp_path / "data"), tmp_path / "out"
    main([str(data), "--out", str(out), "--profiles"])
    main([str(data / "test" / "masks" / "wide.png"), "--out", str(out)])
    assert [path.name for path in (out / "overlays").iterdir()] == ["wide.png"]
    assert not (out / "profiles.csv").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--mm-per-pixel", "0"], "--mm-per-pixel=0.0"),
        (["--severity", "ltpp"], "--severity=ltpp"),
        (["--severity", "steep"], "steep"),
        (["--min-length", "-1"], "--min-length=-1.0"),
        (["--min-length", "nan"], "--min-length=nan"),
        (["--out", "pyproject.toml"], "--out=pyproject.toml"),
        (["--photographs", "nowhere"], "--photographs=nowhere"),
        (["nowhere"], "nowhere"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_written(words: list[str], said: str, tmp_path: Path):
    out = [] if "--out" in words else ["--out", str(tmp_path / "out")]
    with pytest.raises(UserError) as refused:
        main([str(scene(tmp_path / "data")), *out, *words])
    assert said in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_photographs_in_place_of_masks_leave_earlier_results_as_they_were(tmp_path: Path):
    data, out = scene(tmp_path / "data"), tmp_path / "out"
    main([str(data), "--out", str(out)])
    before = (out / "cracks.csv").read_text()
    noise = np.random.default_rng(0).integers(0, 255, (60, 60, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.png")
    with pytest.raises(UserError, match=r"photo\.png"):
        main([str(tmp_path / "photo.png"), "--out", str(out)])
    assert (out / "cracks.csv").read_text() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "out", "photo.png"]


def test_georeferenced_predictions_become_lines_on_the_map(tmp_path: Path):
    mask = np.zeros((120, 200), np.uint8)
    mask[50:56, 20:180] = 255
    masks = write_geotiff(tmp_path / "predictions" / "masks" / "a.tif", mask).parent
    main([str(masks.parent), "--out", str(tmp_path / "out"), "--geojson", "--severity", "ltpp"])
    (feature,) = json.loads((tmp_path / "out" / "cracks.geojson").read_text())["features"]
    assert feature["properties"]["length_mm"] == pytest.approx(160 * 4, rel=0.02)
    (row,) = rows(tmp_path / "out" / "photographs.csv")
    assert float(row["mm_per_pixel"]) == pytest.approx(4, rel=1e-3)
    data = scene(tmp_path / "data")
    with pytest.raises(UserError, match="--geojson"):
        main([str(data), "--out", str(tmp_path / "none"), "--geojson"])
    assert not (tmp_path / "none").exists()


def test_overlays_of_predictions_are_left_alone(tmp_path: Path):
    data = scene(tmp_path / "data")
    (tmp_path / "predictions" / "overlays").mkdir(parents=True)
    with pytest.raises(UserError, match="overlays"):
        main([str(data), "--out", str(tmp_path / "predictions")])


def test_masks_in_which_crack_is_black_are_refused(tmp_path: Path):
    mask = np.full((60, 80), 255, np.uint8)
    mask[30:33] = 0
    Image.fromarray(mask).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="--crack-colour 0"):
        main([str(tmp_path / "a.png"), "--out", str(tmp_path / "out")])
    main([str(tmp_path / "a.png"), "--out", str(tmp_path / "out"), "--crack-colour", "0"])
    (row,) = rows(tmp_path / "out" / "cracks.csv")
    assert float(row["length_px"]) == pytest.approx(80, abs=0.5)


def test_a_mask_that_is_skipped_is_an_error_after_the_others_are_measured(tmp_path: Path):
    masks = scene(tmp_path / "data") / "test" / "masks"
    (masks / "bad.png").write_text("no picture")
    with pytest.raises(UserError, match=r"1 of 3 masks.*bad\.png"):
        main([str(masks), "--out", str(tmp_path / "out")])
    assert len(rows(tmp_path / "out" / "photographs.csv")) == 2


def test_without_any_crack_the_table_has_its_columns(tmp_path: Path):
    Image.fromarray(np.zeros((60, 80), np.uint8)).save(tmp_path / "a.png")
    main([str(tmp_path / "a.png"), "--out", str(tmp_path / "out"), "--mm-per-pixel", "1", "--severity", "ltpp"])
    header = (tmp_path / "out" / "cracks.csv").read_text().strip().split(",")
    assert header[0] == "photograph"
    assert header[-1] == "severity"
    main([str(scene(tmp_path / "data")), "--out", str(tmp_path / "some"), "--mm-per-pixel", "1", "--severity", "ltpp"])
    assert list(rows(tmp_path / "some" / "cracks.csv")[0]) == header
