"""Trials in one process, driven as Ray drives them."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from src.config.compose import compose, load_config
from src.config.overrides import Overrides, load_overrides
from src.lines import replace_lines
from src.training.experiment import read_rows
from src.training.trainer import EpochReport
from sweeps.checkpoint_quota import keep_best_only
from trainable.attempts import take_over
from trainable.failures import NotAsSampled, TrialFailed
from trainable.guard import CardWasFull, OutOfCardMemory
from trainable.limits import Costs, Limits
from trainable.plan import TrialPlan
from trainable.trial import TrialProcess, check_sampled


def plan(tiny: list[str], tmp_path: Path) -> TrialPlan:
    return TrialPlan(tmp_path / "sweep", Overrides.parse(tiny), "val/iou_best")


def job(
    params: dict[str, Any], name: str = "t0000-abcdef", reported_epochs: int = 0, attempt: int = 1
) -> dict[str, Any]:
    """What the search asks a process to do."""
    return {
        "trial": name,
        "params": params,
        "attempt": attempt,
        "beside": 1,
        "limited": True,
        "reported_epochs": reported_epochs,
    }


def process(tiny: list[str], tmp_path: Path, asked: dict[str, Any]) -> TrialProcess:
    """A new process with its first trial."""
    started = TrialProcess(plan(tiny, tmp_path))
    started.take(asked)
    started.begin()
    return started


@pytest.fixture
def trial(tiny: list[str], tmp_path: Path) -> TrialProcess:
    return process(tiny, tmp_path, job({"training.optimizer.lr": 1e-3, "training.loss": "dice_focal"}))


def die(trial: TrialProcess) -> None:
    """End the process without a word, after its last checkpoint: the kernel gives its lock back."""
    trial.experiment.wait()
    trial.lock.release(force=True)


def written(trial: TrialProcess) -> dict[str, Any]:
    """Train an epoch, and wait until all of it is on the disk."""
    report = trial.step()
    trial.experiment.wait()
    return report


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "result.json").read_text().splitlines()]


def test_a_trial_above_a_limit_is_skipped_before_it_is_trained_and_the_process_takes_the_next(
    tiny: list[str], tmp_path: Path
):
    limited = replace(plan(tiny, tmp_path), limits=Limits(parameters=10))
    started = TrialProcess(limited)
    started.take(job({"seed": 1}))
    result = started.step()
    assert result.keys() == {"skipped"}
    assert "> 10" in result["skipped"]
    assert not (tmp_path / "sweep" / "t0000-abcdef" / "result.json").exists()
    started.take(job({"seed": 2}, name="t0001-abcdef") | {"limited": False})  # the default
    assert started.step()["epoch"] == 1


def test_a_trial_reports_what_its_network_costs_and_measures_that_once(
    trial: TrialProcess, tiny: list[str], tmp_path: Path
):
    costs = Costs.of(written(trial)["metrics"])
    assert costs is not None
    assert costs.parameters == sum(item.numel() for item in trial.trainer.model.parameters())
    die(trial)
    params = {"training.optimizer.lr": 1e-3, "training.loss": "dice_focal"}
    again = process(tiny, tmp_path, job(params, reported_epochs=1, attempt=2))
    assert Costs.of(again.step()["metrics"]) == costs


def test_a_step_is_an_epoch_and_reports_the_metric_keys(trial: TrialProcess):
    first, second = trial.step(), trial.step()
    assert (first["epoch"], first["finished"]) == (1, False)
    assert (second["epoch"], second["finished"]) == (2, True)
    assert {"val/iou_best", "val/iou", "train/loss", "lr"} <= first["metrics"].keys()
    written = lines(trial.folder)
    assert [line["epoch"] for line in written] == [1, 2]
    assert written[1]["val/iou_best"] == second["metrics"]["val/iou_best"]
    assert written[0]["params"] == {"training.optimizer.lr": 1e-3, "training.loss": "dice_focal"}
    assert (written[0]["attempt"], written[0]["host"], written[0]["card"]) == (1, os.uname().nodename, None)
    assert not first["metrics"].keys() & {"attempt", "host", "card"}


def test_the_folder_holds_a_run_with_its_overrides(trial: TrialProcess, tiny: list[str]):
    written(trial)
    overrides = load_overrides(trial.folder / "overrides.yaml")
    assert list(overrides) == [*tiny, "training.optimizer.lr=0.001", "training.loss=dice_focal"]
    assert load_config(overrides).training.loss.keys() == {"dice", "focal"}
    assert (trial.folder / "checkpoints" / "best_model.pth").is_file()


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Equal, but for the times."""
    times = {"epoch_seconds": 0, "images_per_second": 0, "record_seconds": 0, "cost/milliseconds": 0}
    return one | {"metrics": one["metrics"] | times} == other | {"metrics": other["metrics"] | times}


def test_another_process_goes_on_from_the_folder_as_the_first_would_have(
    trial: TrialProcess, tiny: list[str], tmp_path: Path
):
    first = trial.step()
    asked = job(trial.params, reported_epochs=1)
    die(trial)
    other = process(tiny, tmp_path, asked)
    found = other.step()
    die(other)
    rerun = process(tiny, tmp_path / "uninterrupted", job(trial.params))
    expected = [rerun.step(), rerun.step()]
    assert same(expected[0], first)
    assert same(expected[1], found)
    assert found["finished"]
    assert [line["epoch"] for line in lines(other.folder)] == [1, 2]
    assert [row["epoch"] for row in read_rows(other.experiment.csv_path)] == ["1", "2"]
    assert "after epoch 1" in (other.folder / "log.txt").read_text()


def test_an_epoch_that_the_search_has_not_heard_of_is_told_and_not_trained_again(
    trial: TrialProcess, tiny: list[str], tmp_path: Path
):
    first, second = trial.step(), trial.step()
    die(trial)
    other = process(tiny, tmp_path, job(trial.params))
    assert other.step() == first
    assert other.step() == second
    assert other.trainer.epoch == 2
    assert not other.unreported


def test_an_epoch_whose_checkpoint_was_not_written_is_trained_again(
    trial: TrialProcess, tiny: list[str], tmp_path: Path
):
    first = written(trial)
    checkpoint = trial.experiment.last_checkpoint.read_bytes()
    second = written(trial)
    trial.experiment.last_checkpoint.write_bytes(checkpoint)  # killed between the line of epoch 2 and its checkpoint
    die(trial)
    other = process(tiny, tmp_path, job(trial.params, reported_epochs=1))
    assert [line["epoch"] for line in lines(other.folder)] == [1]
    assert len(read_rows(other.experiment.csv_path)) == 1
    found = other.step()
    assert same(found, second)
    assert not same(found, first)
    assert [line["epoch"] for line in lines(other.folder)] == [1, 2]


@pytest.mark.parametrize("damage", ["flipped", "half", "empty"])
def test_a_damaged_checkpoint_is_skipped_for_the_one_before(
    trial: TrialProcess, tiny: list[str], tmp_path: Path, damage: str
):
    written(trial)
    second = written(trial)
    content = bytearray(trial.experiment.last_checkpoint.read_bytes())
    content[len(content) // 2] ^= 255
    broken = {"flipped": bytes(content), "half": bytes(content[: len(content) // 2]), "empty": b""}[damage]
    trial.experiment.last_checkpoint.unlink()  # a hard link may share the file
    trial.experiment.last_checkpoint.write_bytes(broken)
    die(trial)
    other = process(tiny, tmp_path, job(trial.params, reported_epochs=2))
    assert other.trainer.epoch == 1
    assert same(other.step(), second)


def test_a_trial_whose_checkpoints_are_all_gone_begins_anew_with_the_same_scores(
    trial: TrialProcess, tiny: list[str], tmp_path: Path
):
    first = written(trial)
    shutil.rmtree(trial.folder / "checkpoints")
    die(trial)
    other = process(tiny, tmp_path, job(trial.params, reported_epochs=1))
    assert same(other.step(), first)
    assert [line["epoch"] for line in lines(other.folder)] == [1]


def test_the_best_network_is_kept_when_the_process_dies_before_it_was_linked(
    trial: TrialProcess, tiny: list[str], tmp_path: Path
):
    written(trial)
    assert trial.trainer.best_epoch == 1
    trial.experiment.best_checkpoint.unlink()
    die(trial)
    other = process(tiny, tmp_path, job(trial.params, reported_epochs=1))
    assert other.experiment.best_checkpoint.is_file()


def test_a_process_that_keeps_the_folder_of_a_trial_is_believed_dead_after_a_while(
    trial: TrialProcess, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    written(trial)
    monkeypatch.setattr("trainable.attempts.ORPHAN_SECONDS", 0.2)
    other = process(tiny, tmp_path, job(trial.params, reported_epochs=1, attempt=2))
    with pytest.raises(TrialFailed, match="attempt 2"):
        trial.step()
    assert written(other)["finished"]
    assert [line["epoch"] for line in lines(other.folder)] == [1, 2]


def test_a_process_that_was_believed_dead_writes_nothing_once_another_has_taken_over(
    trial: TrialProcess, tiny: list[str], tmp_path: Path
):
    """Without its lock, as on a disk whose locks hold on one machine only."""
    written(trial)
    die(trial)
    written(process(tiny, tmp_path, job(trial.params, reported_epochs=1, attempt=2)))
    names = ("result.json", "metrics/metrics.csv", "checkpoints/last.pth", "checkpoints/previous.pth", "attempt.json")
    before = {name: (trial.folder / name).read_bytes() for name in names}
    with pytest.raises(TrialFailed, match=r"Superseded.*attempt 1 .*attempt 2"):
        trial.step()
    trial.release()
    assert {name: (trial.folder / name).read_bytes() for name in names} == before


def test_a_checkpoint_that_waits_to_be_written_when_another_takes_over_is_not_written(
    trial: TrialProcess, tiny: list[str], tmp_path: Path
):
    written(trial)
    checkpoint = trial.experiment.last_checkpoint.read_bytes()
    record = trial.experiment.record

    def taken_over(*given: Any, **more: Any) -> None:
        take_over(trial.folder, 2)
        record(*given, **more)

    trial.experiment.record = taken_over  # type: ignore[method-assign]
    with pytest.raises(TrialFailed, match="Superseded"):
        [trial.step() for _ in range(2)]  # at the latest when the next epoch is recorded
    trial.release()
    assert trial.folder.joinpath("checkpoints/last.pth").read_bytes() == checkpoint


def test_a_process_that_is_given_up_before_its_first_step_touches_nothing(
    trial: TrialProcess, tiny: list[str], tmp_path: Path
):
    trial.step()
    trial.step()
    trial.release()
    keep_best_only(trial.folder)  # as the sweep does with a trial that has ended

    def files() -> dict[Path, tuple[int, float]]:
        found = (path for path in trial.folder.rglob("*") if path.is_file())
        return {path: (path.stat().st_size, path.stat().st_mtime) for path in found}

    before = files()
    late = TrialProcess(plan(tiny, tmp_path))
    late.take(job(trial.params))
    late.release()
    other = TrialProcess(plan(tiny, tmp_path))
    other.take(job({}, "t0009-other"))
    other.release()
    assert files() == before
    assert not (trial.folder.parent / "t0009-other").exists()


def test_a_trial_leaves_one_checkpoint_to_go_on_from_and_the_best(trial: TrialProcess):
    written(trial)
    written(trial)
    assert trial.experiment.previous_checkpoint.is_file()
    trial.release()
    assert {path.name for path in (trial.folder / "checkpoints").iterdir()} == {"last.pth", "best_model.pth"}


def test_a_reused_process_trains_the_next_trial_as_a_fresh_one_would(
    trial: TrialProcess, tiny: list[str], tmp_path: Path
):
    trial.step()
    params = {"training.optimizer.lr": 5e-3}
    trial.take(job(params, "t0001-reused"))
    reused = trial.step()
    fresh = process(tiny, tmp_path, job(params, "t0002-fresh"))
    assert same(fresh.step(), reused)
    for name, value in fresh.trainer.model.state_dict().items():
        assert torch.equal(value, trial.trainer.model.state_dict()[name])


def test_two_learning_rates_give_two_networks(trial: TrialProcess):
    trial.step()
    one = {name: value.clone() for name, value in trial.trainer.model.state_dict().items()}
    trial.take(job({**trial.params, "training.optimizer.lr": 2e-3}, "t0001-abcdef"))
    trial.step()
    assert any(not torch.equal(value, one[name]) for name, value in trial.trainer.model.state_dict().items())


def test_a_process_survives_a_trial_that_could_not_start(trial: TrialProcess):
    trial.take(job({"model.encoder.name": "resnet19"}, "t0001-broken"))
    with pytest.raises(TrialFailed, match=r"configuration.*Unknown encoder"):
        trial.step()
    trial.take(job({"training.optimizer.lr": 1e-3}, "t0002-next"))
    assert trial.step()["epoch"] == 1


@pytest.mark.slow
def test_a_trial_that_makes_no_step_ends_itself_and_leaves_its_stacks(tiny: list[str], tmp_path: Path):
    code = f"""
import time
from pathlib import Path
from trainable.limits import Costs, Limits
from trainable.plan import TrialPlan
from trainable.trial import TrialProcess

trial = TrialProcess(TrialPlan(Path({str(tmp_path)!r}), {tuple(tiny)!r}, "val/iou_best", hang_seconds=1.0))
trial.take({{"trial": "t0000-hangs", "params": {{}}, "attempt": 1, "beside": 1, "limited": True, "reported_epochs": 0}})
trial.begin()
trial.trainer.train_epoch = lambda on_step: time.sleep(60)
trial.step()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50)
    assert done.returncode == 1, done.stderr
    stacks = (tmp_path / "t0000-hangs" / "stacks.txt").read_text()
    assert "Timeout" in stacks
    assert "trial.py" in stacks


def test_an_epoch_after_which_a_trial_may_stop_is_on_the_disk_before_it_is_reported(
    tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    trial = TrialProcess(replace(plan(tiny, tmp_path), rungs=(2,)))
    trial.take(job({"training.epochs": 4}))
    trial.begin()
    waited: list[int] = []
    monkeypatch.setattr(type(trial.experiment), "wait", lambda self: waited.append(trial.trainer.epoch))
    for _ in range(4):
        trial.step()
    assert waited == [2, 4]


def test_a_trial_whose_card_is_lost_does_not_train_on_the_cpu(tiny: list[str], tmp_path: Path):
    auto = tuple(word for word in tiny if word != "device=cpu")
    trial = TrialProcess(replace(plan(tiny, tmp_path), fixed=auto, trials_per_card=1))
    trial.take(job({}))
    with pytest.raises(TrialFailed, match=r"card_lost.*device=cuda"):
        trial.step()


def test_what_was_reported_of_an_epoch_stays_though_it_is_trained_again(
    trial: TrialProcess, tiny: list[str], tmp_path: Path
):
    written(trial)
    older = trial.experiment.last_checkpoint.read_bytes()
    trial.step()
    trial.release()
    trial_dir = trial.folder
    for name in ("last.pth", "best_model.pth"):  # killed before the second epoch's checkpoint was on the disk
        (trial_dir / "checkpoints" / name).write_bytes(older)
    reported = lines(trial_dir)
    reported[1]["val/iou_best"] = 0.125  # a card does not give the same twice
    replace_lines(trial_dir / "result.json", reported)
    again = process(tiny, tmp_path, job(trial.params, reported_epochs=2))
    again.step()
    assert lines(trial_dir) == reported


def test_a_checkpoint_that_cannot_be_written_when_a_trial_leaves_is_no_fault_of_the_next(
    trial: TrialProcess, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    trial.step()

    def fail() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trial.experiment, "close", fail)
    trial.take(job({"training.optimizer.lr": 1e-3}, "t0001-next"))
    assert "could not be written" in caplog.text
    assert trial.step()["epoch"] == 1
    trial.release()
    shutil.rmtree(trial.folder)
    trial.release()  # as Ray does with a process that it gives up later


FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nMore words")


@pytest.mark.parametrize(
    ("per_card", "free", "kind"),
    [(1, 7000, OutOfCardMemory), (1, 6000, CardWasFull), (2, 7000, CardWasFull)],
    ids=["alone", "alone on a card that another program uses", "beside another trial"],
)
def test_running_out_of_memory_is_final_only_for_a_trial_that_had_the_card_to_itself(
    tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, per_card: int, free: int, kind: type[Exception]
):
    trial = process(tiny, tmp_path, job({}))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (free * 2**20, 8000 * 2**20))
    trial.plan = replace(trial.plan, trials_per_card=per_card, card_free_mib=7000)
    trial.missing_mib = trial._missing_mib()

    def fail(on_step: object = None) -> EpochReport:
        raise FULL

    trial.trainer.train_epoch = fail
    with pytest.raises(TrialFailed, match=r"CUDA out of memory\. Tried to allocate 2\.00 GiB\.\"") as caught:
        trial.step()
    assert type(caught.value.__cause__) is kind


def test_an_error_that_is_not_of_memory_stays_what_it_is(trial: TrialProcess):
    def fail(on_step: object = None) -> EpochReport:
        raise RuntimeError("it broke")

    trial.trainer.train_epoch = fail
    with pytest.raises(TrialFailed, match="RuntimeError: it broke"):
        trial.step()


@pytest.mark.parametrize(("limit", "fraction"), [(None, None), (2000, 0.25), (9000, 1.0)])
def test_a_trial_that_shares_its_card_has_a_limit_of_memory(
    tiny: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: int | None,
    fraction: float | None,
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (7000 * 2**20, 8000 * 2**20))
    said: list[float] = []
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", said.append)
    TrialProcess(replace(plan(tiny, tmp_path), memory_limit_mib=limit))
    assert said == ([] if fraction is None else [fraction])


def test_the_next_trial_of_a_process_compiles_anew(trial: TrialProcess, monkeypatch: pytest.MonkeyPatch):
    forgotten: list[str] = []
    monkeypatch.setattr(torch.compiler, "reset", lambda: forgotten.append("all"))
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: None)
    trial.take(job({"training.compile": True}, "t0001-compiled"))
    trial.begin()
    assert forgotten == []
    trial.take(job({}, "t0002-next"))
    assert forgotten == ["all"]


def test_memory_that_did_not_come_back_is_said_and_the_process_goes_on(
    trial: TrialProcess, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(TrialProcess, "left_over_mib", 300)
    trial.take(job({"training.optimizer.lr": 1e-3}, "t0001-next"))
    trial.begin()
    assert "300 MiB" in caplog.text


def test_a_sampled_key_that_the_configuration_does_not_hold_is_noticed():
    overrides = ["training.loss=bce", "seed=1"]
    composed = compose(overrides)
    check_sampled(composed, {"seed": 1, "training.loss": "bce"})
    with pytest.raises(NotAsSampled, match=r"training\.loss=dice was sampled"):
        check_sampled(composed, {"training.loss": "dice"})
    with pytest.raises(NotAsSampled, match="seed=2 was sampled"):
        check_sampled(composed, {"seed": 2})
