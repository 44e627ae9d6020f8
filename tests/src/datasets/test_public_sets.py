"""Public sets by name."""

import re
from pathlib import Path

import numpy as np
import pytest
from checkout import ROOT
from PIL import Image

from src.datasets.public_sets import find_public_set, public_sets
from src.errors import UserError
from src.prepare import main

STEMS = {"crack500": "20160222_08101{}_1_361", "crackmap": "GOPR010{} (1)", "deepcrack": "IMG_12{}-1"}
NAMES = [name for name in public_sets() if name != "crackforest"]  # whose masks are .mat files
CRACKFOREST = ROOT.parent / "shared" / "data" / "cfd"


def published(name: str, root: Path, each: int = 4) -> int:
    """Photographs and masks in the folders of a set; returns how many."""
    public, count = find_public_set(name), 0
    for place in public.places:
        for _ in range(each):
            stem = STEMS.get(name, "{}").format(count)
            noise = np.random.default_rng(count).integers(0, 255, (64, 64, 3), dtype=np.uint8)
            mask = np.zeros((64, 64), np.uint8)
            mask[10 + count] = 255
            for folder, values, suffix in ((place.images, noise, "jpg"), (place.masks, mask, "png")):
                (root / folder).mkdir(parents=True, exist_ok=True)
                Image.fromarray(values).save(root / folder / f"{stem}.{suffix}")
            count += 1
    for number, stem in enumerate(public.exclude):
        for folder in (public.places[0].images, public.places[0].masks):
            Image.fromarray(np.full((64, 64), 90 * number, np.uint8)).save(root / folder / f"{stem}.png")
    return count


@pytest.mark.parametrize("name", NAMES)
def test_a_set_is_read_as_it_is_published(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    count = published(name, tmp_path / "set")
    main([str(tmp_path / "set"), "--like", name, "--out", str(tmp_path / "out")])
    assert len(list((tmp_path / "out").glob("*/images/*"))) == count
    said = capsys.readouterr().out
    assert find_public_set(name).where in said
    assert find_public_set(name).terms in said


@pytest.mark.parametrize("name", ["sut", "crack500"])
def test_the_folder_above_a_set_and_a_folder_within_it_are_recognised(name: str, tmp_path: Path):
    count = published(name, tmp_path / "above" / "set")
    inner = tmp_path / "above" / "set" / "segmentation"
    for source in (tmp_path / "above", *([inner] if inner.is_dir() else [])):
        out = tmp_path / f"out-{source.name}"
        main([str(source), "--like", name, "--out", str(out)])
        assert len(list(out.glob("*/images/*"))) == count


def test_splits_that_leak_are_made_anew_unless_they_are_asked_for(tmp_path: Path):
    published("deepcrack", tmp_path / "set", each=8)
    main([str(tmp_path / "set"), "--like", "deepcrack", "--out", str(tmp_path / "new")])
    main([str(tmp_path / "set"), "--like", "deepcrack", "--own-splits", "--out", str(tmp_path / "own")])
    own = {path.stem for path in (tmp_path / "own" / "test" / "images").iterdir()}
    assert own == {STEMS["deepcrack"].format(number) for number in range(8, 16)}
    assert own != {path.stem for path in (tmp_path / "new" / "test" / "images").iterdir()}


@pytest.mark.skipif(not CRACKFOREST.is_dir(), reason="the photographs of CrackForest are not here")
@pytest.mark.slow
def test_crackforest_is_read_without_its_wrong_mask(tmp_path: Path):
    main([str(CRACKFOREST), "--like", "crackforest", "--out", str(tmp_path / "out")])
    found = {path.stem for path in (tmp_path / "out").glob("*/images/*")}
    assert len(found) == 117
    assert "042" not in found


def test_what_is_no_public_set_is_refused_and_nothing_is_written(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    for words, said in (
        (["--like", "deepcracks"], "deepcrack"),
        (["--like", "deepcrack"], "train_img"),
        (["--own-splits"], "--like"),
    ):
        with pytest.raises(UserError) as refused:
            main([str(tmp_path / "empty"), *words, "--out", str(tmp_path / "out")])
        assert said in str(refused.value)
        assert not (tmp_path / "out").exists()


def test_the_guide_lists_every_set_with_its_address_and_its_terms():
    guide = (ROOT / "docs" / "guides" / "data.md").read_text()
    for name, public in public_sets().items():
        (line,) = re.findall(rf"^\| `{name}` .*$", guide, re.MULTILINE)
        assert public.where in line
        assert public.terms in line
        assert public.images in line
