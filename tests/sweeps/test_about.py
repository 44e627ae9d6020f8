"""What a sweep's folder says of itself."""

from pathlib import Path

import pytest
import yaml

from src.errors import UserError
from sweeps.about import PARTS, read_about
from sweeps.plan import make_plan
from sweeps.spec import load_spec


@pytest.mark.parametrize("key", PARTS)
def test_a_file_of_a_sweep_that_lacks_a_part_is_refused_with_its_name(key: str, tmp_path: Path):
    plan = make_plan("quickstart", load_spec("quickstart"), seed=5)
    plan.save(tmp_path / "sweep.yaml", "Why?")
    kept = yaml.safe_load((tmp_path / "sweep.yaml").read_text())
    for damaged in ({name: part for name, part in kept.items() if name != key}, kept | {key: 1}, [key]):
        (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(damaged))
        with pytest.raises(UserError, match=r"sweep\.yaml") as caught:
            read_about(tmp_path)
        assert key in str(caught.value) or damaged == [key]


@pytest.mark.parametrize(("asha", "works"), [({"rungs": [3], "max_epochs": 9}, True), (None, False), (3, False)])
def test_a_file_of_the_version_before_is_read(asha: object, works: bool, tmp_path: Path):
    plan = make_plan("quickstart", load_spec("quickstart"), seed=5)
    plan.save(tmp_path / "sweep.yaml", "Why?")
    kept = yaml.safe_load((tmp_path / "sweep.yaml").read_text())
    del kept["scheduler"]
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(kept | {"asha": asha}))
    if works:
        assert read_about(tmp_path)["scheduler"]["rungs"] == [3]
    else:
        with pytest.raises(UserError, match="scheduler"):
            read_about(tmp_path)
