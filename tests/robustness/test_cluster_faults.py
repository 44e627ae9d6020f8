"""Does a sweep on a cluster lose nothing, whatever breaks?"""

from pathlib import Path

import pytest

from tests.robustness import cluster_faults


@pytest.mark.slow
def test_a_sweep_in_which_three_things_break_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cluster_faults, "HANGS", (2.0, 4.0))
    assert cluster_faults.main(["--faults", "3", "--seed", "5", "--json", str(tmp_path / "faults.json")]) == 0
    assert (tmp_path / "faults.json").is_file()
