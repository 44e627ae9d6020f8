"""A network beside its exported form."""

from pathlib import Path

import pytest
from exports import written

from src.errors import UserError


def test_an_exported_network_that_computes_something_else_is_refused(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("src.exporting.formats.TOLERANCE", -1.0)
    with pytest.raises(UserError, match="differs"):
        written(checkpoint, "torch-export", tmp_path / "exported")
    assert not (tmp_path / "exported").exists()
