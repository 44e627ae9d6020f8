"""Whether a sweep has data to search on."""

from dataclasses import replace
from pathlib import Path

import pytest

from sweeps.data_root import lacks_data
from sweeps.spec import SweepSpec, load_spec


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SweepSpec:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CRACK_DATA_ROOT", raising=False)
    return load_spec("quickstart")


def test_where_no_folder_is_named_the_default_one_decides(spec: SweepSpec):
    assert lacks_data(spec)
    Path("data", "train").mkdir(parents=True)
    assert not lacks_data(spec)


def test_a_folder_that_is_named_and_not_there_is_never_replaced(spec: SweepSpec, monkeypatch: pytest.MonkeyPatch):
    assert not lacks_data(replace(spec, fixed=(*spec.fixed, "data.root=typo")))
    monkeypatch.setenv("CRACK_DATA_ROOT", "typo")
    assert not lacks_data(spec)
