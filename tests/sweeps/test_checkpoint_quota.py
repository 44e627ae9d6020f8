"""Whose networks are removed when the disk's budget is spent."""

import os
from pathlib import Path

import pytest
from optuna.distributions import FloatDistribution

from src.errors import UserError
from sweeps.checkpoint_quota import GIB, CheckpointQuota, keep_best_only, size_of, worst
from sweeps.search.sampler import ModelSampler
from sweeps.search.state import SearchState
from sweeps.search.study import Study
from sweeps.search.trial import Trial
from sweeps.spec import Asha, Budget

SIZE = 1000


def networks(sweep_dir: Path, name: str, linked: bool = False) -> Path:
    """A trial's last and best network; ``linked``: they are the same."""
    folder = sweep_dir / name / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "last.pth").write_bytes(b"x" * SIZE)
    if linked:
        os.link(folder / "last.pth", folder / "best_model.pth")
    else:
        (folder / "best_model.pth").write_bytes(b"y" * SIZE)
    return folder


def rows(*states: str) -> list[Trial]:
    """Trials with falling scores."""
    return [Trial(f"t{n}", {}, number=n, state=state, score=1.0 - n / 10) for n, state in enumerate(states)]


def test_linked_networks_take_their_place_once(tmp_path: Path):
    assert size_of(networks(tmp_path, "t0")) == 2 * SIZE
    assert size_of(networks(tmp_path, "t1", linked=True)) == SIZE
    assert size_of(tmp_path / "nowhere") == 0


@pytest.mark.parametrize(
    ("limit", "gone"), [(8 * SIZE, []), (6 * SIZE, ["t3"]), (4 * SIZE, ["t3", "t2"]), (0, ["t3", "t2", "t1"])]
)
def test_the_worst_give_theirs_up_first_and_the_best_never(tmp_path: Path, limit: int, gone: list[str]):
    trials = rows("complete", "paused", "stopped", "failed")
    for row in trials:
        networks(tmp_path, row.name)
    assert [row.name for row in worst(tmp_path, trials, limit)] == gone


def test_trials_that_run_or_wait_keep_theirs(tmp_path: Path):
    trials = rows("complete", "running", "waiting", "paused")
    for row in trials:
        networks(tmp_path, row.name)
    assert [row.name for row in worst(tmp_path, trials, 0)] == ["t3"]


def test_a_trial_that_will_not_go_on_keeps_its_best_network_only(tmp_path: Path):
    folder = networks(tmp_path, "t0")
    keep_best_only(tmp_path / "t0")
    assert [path.name for path in folder.iterdir()] == ["best_model.pth"]
    (folder / "best_model.pth").rename(folder / "last.pth")  # none was ever the best
    keep_best_only(tmp_path / "t0")
    assert [path.name for path in folder.iterdir()] == ["last.pth"]


def test_what_was_dropped_is_in_the_study(tmp_path: Path):
    sampler = ModelSampler({"lr": FloatDistribution(0.0, 1.0)}, 0, {"lr": 0.5})
    budget = Budget(trials=4, checkpoints_gib=3.5 * SIZE / GIB)
    study = Study(
        SearchState(Asha(grace_period=1, reduction_factor=3, max_epochs=6).build(), "val/iou"), sampler, budget
    )
    disk = CheckpointQuota(study, tmp_path)
    names: list[str] = []
    for value in (0.3, 0.1):
        row = study.next_trial()
        assert row
        names.append(row.name)
        networks(tmp_path, row.name)
        study.report(row.name, 1, {"val/iou": value})
        disk.left(row)
    assert [study.trials[name].checkpoints_deleted for name in names] == [False, True]
    assert [size_of(tmp_path / name / "checkpoints") for name in names] == [2 * SIZE, 0]


def test_a_network_is_removed_after_its_loss_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    sampler = ModelSampler({"lr": FloatDistribution(0.0, 1.0)}, 0, {"lr": 0.5})
    budget = Budget(trials=4, checkpoints_gib=SIZE / GIB)
    study = Study(
        SearchState(Asha(grace_period=1, reduction_factor=3, max_epochs=6).build(), "val/iou"), sampler, budget
    )
    for value in (0.3, 0.1):
        row = study.next_trial()
        assert row
        networks(tmp_path, row.name)
        study.report(row.name, 1, {"val/iou": value})

    def full(name: str) -> None:
        raise UserError("the disk is full")

    monkeypatch.setattr(study, "checkpoints_deleted", full)
    with pytest.raises(UserError, match="full"):
        CheckpointQuota(study, tmp_path).keep_below()
    assert [size_of(tmp_path / name / "checkpoints") for name in study.trials] == [2 * SIZE, 2 * SIZE]
