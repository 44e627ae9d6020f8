"""Formats that are not read are recognised, with what to do."""

import json
from pathlib import Path

import pytest
from drawn import photo, write_json

from src.datasets.sources import find_sources
from src.datasets.unread import refusal
from src.errors import UserError

FILES = {
    "Supervisely": ("ds0/ann/a.jpg.json", "{}"),
    "VIA's": ("via_project.json", json.dumps({"_via_settings": {}, "_via_img_metadata": {}})),
    "VIA": ("via_region_data.json", json.dumps({"a.jpg123": {"filename": "a.jpg", "regions": []}})),
    "VIA ": ("via.csv", "filename,file_size,region_shape_attributes\n"),
    "CVAT's XML": (
        "annotations.xml",
        '<?xml version="1.0"?>\n<annotations>\n<image id="0" name="a.jpg"/></annotations>',
    ),
    "Pascal VOC": ("Annotations/a.xml", "<annotation>\n<filename>a.jpg</filename></annotation>"),
    "Label Studio": ("export.json", json.dumps([{"id": 1, "annotations": []}])),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("folder", ["", "images", "ds0/img"])
def test_a_format_that_is_not_read_is_named_with_the_way_out(tmp_path: Path, name: str, folder: str):
    file, content = FILES[name]
    for number in range(3):
        photo(tmp_path / folder / f"{'abc'[number]}.jpg")
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(content)
    with pytest.raises(UserError, match=f"{name.strip().removesuffix(chr(39) + 's')}.* export it as COCO, or as masks"):
        find_sources(tmp_path)


def test_other_files_are_nobodys_and_json_that_is_none_is_named(tmp_path: Path):
    files = [write_json(tmp_path / "a.json", {"a": 1}), tmp_path / "b.csv", tmp_path / "c.xml", tmp_path / "d.txt"]
    for path in files[1:]:
        path.write_text("a,b\n")
    assert refusal(files) == ""
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(UserError, match=r"Cannot read .*a\.json"):
        refusal(files)
