"""What makes two sessions parts of one sweep, and two trainings the same."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from sweeps import identity as module
from sweeps.about import PATH_KEYS
from sweeps.identity import differences, identity, surroundings, training_code
from sweeps.plan import SweepPlan, make_plan
from sweeps.spec import Hyperband, load_spec


@pytest.fixture
def plan(tiny: list[str]) -> SweepPlan:
    fixed = tuple(word for word in tiny if not word.startswith(("training.epochs=", "threads=")))
    return make_plan("mine", replace(load_spec("quickstart"), fixed=fixed), seed=0)


def with_place(plan: SweepPlan, key: str, place: Path) -> SweepPlan:
    return replace(plan, fixed=plan.fixed.without(key).plus([f"{key}={place}"]))


@pytest.mark.parametrize("key", PATH_KEYS)
def test_where_folders_lie_is_no_part_of_what_a_sweep_is(plan: SweepPlan, tmp_path: Path, key: str):
    place = tmp_path / "elsewhere"
    if key == "data.root":
        shutil.copytree(plan.config.data.root, place)
    moved = with_place(plan, key, place)
    assert identity(moved, "quickstart") == identity(plan, "quickstart")
    assert not differences({f"fixed: {key}": "as older ledgers have it"}, {})


def test_another_content_of_the_same_folder_is_a_difference(plan: SweepPlan, tmp_path: Path):
    shutil.copytree(plan.config.data.root, tmp_path / "data")
    same = with_place(plan, "data.root", tmp_path / "data")
    assert not differences(surroundings(plan), surroundings(same))
    image, *_ = sorted((tmp_path / "data" / "train" / "images").iterdir())
    mask = tmp_path / "data" / "train" / "masks" / image.name
    image.unlink()
    mask.unlink()
    (line,) = differences(surroundings(plan), surroundings(same))
    assert line.startswith("  data: ")


def test_changed_code_data_and_configuration_files_are_differences(plan: SweepPlan, monkeypatch: pytest.MonkeyPatch):
    before = identity(plan, "quickstart")
    assert {
        "src/training/losses.py",
        "configs/config.yaml",
        "sweeps/search/asha.py",
        "sweeps/specs/quickstart.py",
        "data",
    } <= before.keys()
    now = before | {"src/training/losses.py": "new", "data": "other"}
    assert [line.split(":")[0].strip() for line in differences(before, now)] == ["data", "src/training/losses.py"]
    monkeypatch.setattr(module, "data_fingerprint", lambda _: "other")
    assert identity(plan, "quickstart")["data"] == "other"


def test_code_that_no_trial_runs_is_no_difference(plan: SweepPlan):
    names = identity(plan, "quickstart").keys()
    assert not {"sweeps/live.py", "analysis/results.py", "README.md", "sweeps/specs/unet_encoder.py"} & names


def test_of_schedulers_only_the_code_of_the_one_in_use_counts(plan: SweepPlan):
    names = identity(plan, "quickstart").keys()
    assert {"sweeps/search/state.py", "sweeps/search/sampler.py", "sweeps/search/asha.py"} <= names
    assert not {"sweeps/search/hyperband.py", "sweeps/search/forecast.py", "sweeps/search/no_stopping.py"} & names
    scheduler = Hyperband(grace_period=1, reduction_factor=3, max_epochs=9)
    other = identity(replace(plan, spec=replace(plan.spec, scheduler=scheduler)), "quickstart").keys()
    assert {"sweeps/search/hyperband.py", "sweeps/search/asha.py"} <= other


def test_the_code_of_a_training_is_without_that_of_the_search():
    names = training_code().keys()
    assert {"src/training/losses.py", "trainable/trial.py", "configs/config.yaml"} <= names
    assert not [name for name in names if name.startswith("sweeps/")]
