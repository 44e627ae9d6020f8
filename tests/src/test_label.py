"""``python -m src.label``: predictions become polygons, and polygons a data set."""

import json
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from geotiffs import write_geotiff
from PIL import Image

from benchmarks.drawn_cracks import Drawn, draw_cracks
from src.data.files import UInt8Array
from src.data.masks import read_mask
from src.datasets.label_files import FORMATS as WRITERS
from src.errors import UserError
from src.label import FORMATS, main
from src.prepare import main as prepare


@cache
def drawings() -> list[Drawn]:
    return list(draw_cracks(5, (10, 70, 130)))


def predictions(folder: Path, count: int = 12) -> dict[str, UInt8Array]:
    """What ``src.predict`` writes for some photographs; the masks by stem."""
    masks = dict[str, UInt8Array]()
    rows = ["photograph,mask,sure"]
    for kind in ("photos", "predictions/masks"):
        (folder / kind).mkdir(parents=True)
    drawn = drawings()
    for number in range(count):
        stem = f"p{number:02}"
        mask = cv2.resize(drawn[number].mask, (160, 120), interpolation=cv2.INTER_NEAREST).astype(np.uint8)
        masks[stem] = mask
        noise = np.random.default_rng(number).integers(0, 255, (120, 160, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / "photos" / f"{stem}.png")
        Image.fromarray(mask * np.uint8(255)).save(folder / "predictions" / "masks" / f"{stem}.png")
        rows.append(f"{folder / 'photos' / stem}.png,masks/{stem}.png,{0.5 + number / 100}")
    (folder / "predictions" / "predictions.csv").write_text("\n".join(rows))
    return masks


@pytest.mark.parametrize(("kind", "tolerance"), [("labelme", "0"), ("labelme", "0.5"), ("labelme", ""), ("coco", "")])
def test_labels_are_prepared_without_loss_beyond_their_tolerance(kind: str, tolerance: str, tmp_path: Path):
    masks = predictions(tmp_path)
    out, data = tmp_path / "labels", tmp_path / "data"
    more = ["--tolerance", tolerance] if tolerance else []
    main([str(tmp_path / "predictions"), "--out", str(out), "--format", kind, *more])
    prepare([str(out), "--out", str(data)])
    found = {path.stem: read_mask(path) for path in data.glob("*/masks/*.png")}
    assert found.keys() == masks.keys()
    for stem, mask in masks.items():
        off = found[stem] != mask
        if tolerance == "0" or kind == "coco":
            assert not off.any()
        near = cv2.dilate(mask, np.ones((3, 3), np.uint8)) - cv2.erode(mask, np.ones((3, 3), np.uint8))
        assert (near[off] > 0).all()
        assert off.mean() < 0.01


def test_the_formats_of_the_command_are_those_that_there_are():
    assert tuple(WRITERS) == FORMATS


def test_a_corrected_polygon_is_what_the_data_set_gets(tmp_path: Path):
    masks = predictions(tmp_path)
    out, data = tmp_path / "labels", tmp_path / "data"
    main([str(tmp_path / "predictions"), "--out", str(out)])
    about = json.loads((out / "p03.json").read_text())
    about["shapes"] = [about["shapes"][0] | {"points": [[10, 10], [50, 10], [50, 20], [10, 20]]}]
    (out / "p03.json").write_text(json.dumps(about))
    prepare([str(out), "--out", str(data)])
    (path,) = data.glob("*/masks/p03.png")
    corrected = np.zeros_like(masks["p03"])
    corrected[10:21, 10:51] = 1
    np.testing.assert_array_equal(read_mask(path), corrected)


def test_the_least_sure_photographs_are_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    predictions(tmp_path)
    main([str(tmp_path / "predictions"), "--out", str(tmp_path / "labels"), "--least-sure", "3"])
    assert sorted(path.name for path in (tmp_path / "labels").glob("*.json")) == ["p00.json", "p01.json", "p02.json"]
    assert f"python -m src.prepare {tmp_path / 'labels'}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--tolerance", "-1"], "--tolerance=-1.0"),
        (["--tolerance", "nan"], "--tolerance=nan"),
        (["--tolerance", "1", "--format", "coco"], "--tolerance=1.0"),
        (["--least-sure", "0"], "--least-sure=0"),
        (["--format", "yolo"], "yolo"),
        (["--photographs", "nowhere"], "nowhere"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_written(words: list[str], said: str, tmp_path: Path):
    predictions(tmp_path, 1)
    with pytest.raises(UserError) as refused:
        main([str(tmp_path / "predictions"), "--out", str(tmp_path / "labels"), *words])
    assert said in str(refused.value)
    assert not (tmp_path / "labels").exists()


def test_labels_that_exist_are_left_alone_and_masks_need_their_photographs(tmp_path: Path):
    predictions(tmp_path, 2)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "p00.json").write_text("mine")
    with pytest.raises(UserError, match=f"--out={tmp_path / 'labels'}"):
        main([str(tmp_path / "predictions"), "--out", str(tmp_path / "labels")])
    assert (tmp_path / "labels" / "p00.json").read_text() == "mine"
    masks = str(tmp_path / "predictions" / "masks")
    with pytest.raises(UserError, match="--photographs"):
        main([masks, "--out", str(tmp_path / "new")])
    with pytest.raises(UserError, match="--least-sure"):
        main([masks, "--out", str(tmp_path / "new"), "--least-sure", "1"])
    main([masks, "--out", str(tmp_path / "new"), "--photographs", str(tmp_path / "photos")])
    assert len(list((tmp_path / "new").glob("*.json"))) == 2


def test_a_damaged_mask_is_named_and_the_others_become_labels(tmp_path: Path):
    predictions(tmp_path, 3)
    bad = tmp_path / "predictions" / "masks" / "p01.png"
    bad.write_bytes(bad.read_bytes()[:60])
    with pytest.raises(UserError, match=r"1 of 3 masks.*p01\.png"):
        main([str(tmp_path / "predictions"), "--out", str(tmp_path / "labels")])
    assert sorted(path.name for path in (tmp_path / "labels").glob("*.json")) == ["p00.json", "p02.json"]


def test_the_user_says_what_is_crack(tmp_path: Path):
    masks = predictions(tmp_path, 1)
    Image.fromarray(np.where(masks["p00"] > 0, 200, 100).astype(np.uint8)).save(
        tmp_path / "predictions" / "masks" / "p00.png"
    )
    for words in (["--crack-colour", "200"], ["--crack-above", "150"]):
        out = tmp_path / words[0]
        main([str(tmp_path / "predictions"), "--out", str(out), "--format", "coco", *words])
        areas = [one["area"] for one in json.loads((out / "annotations.json").read_text())["annotations"]]
        assert sum(areas) == masks["p00"].sum()


def test_what_cannot_be_labelled_is_named_and_the_others_become_labels(tmp_path: Path):
    masks = predictions(tmp_path, 4)
    folder = tmp_path / "predictions" / "masks"
    Image.fromarray(masks["p00"][:, ::2] * np.uint8(255)).save(folder / "p00.png")  # of another size
    (tmp_path / "photos" / "p01.png").write_bytes((tmp_path / "photos" / "p01.png").read_bytes()[:3000])
    with pytest.raises(UserError, match=r"2 of 4 masks.*p00\.png.*p01\.png"):
        main([str(tmp_path / "predictions"), "--out", str(tmp_path / "labels")])
    assert sorted(path.name for path in (tmp_path / "labels").glob("*.json")) == ["p02.json", "p03.json"]


def test_what_a_mosaic_does_not_show_is_no_shape(tmp_path: Path):
    masks = predictions(tmp_path, 1)
    values = masks["p00"].copy()
    values[:, :30] = 255
    (tmp_path / "predictions" / "masks" / "p00.png").unlink()
    write_geotiff(tmp_path / "predictions" / "masks" / "p00.tif", values, nodata=255)
    out = tmp_path / "labels"
    photographs = ["--photographs", str(tmp_path / "photos")]
    main([str(tmp_path / "predictions" / "masks"), "--out", str(out), "--format", "coco", *photographs])
    areas = [one["area"] for one in json.loads((out / "annotations.json").read_text())["annotations"]]
    assert sum(areas) == masks["p00"][:, 30:].sum()
