"""The adapters to Ray; whole sweeps are in test_stages.py."""

import os
import pickle
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from optuna.distributions import FloatDistribution
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from sweeps.ray_executor import FINAL, HANDLED, Halt, Jobs, Rules, Signals, reason_of
from sweeps.sampler import Sampler
from sweeps.spec import Asha, Budget
from sweeps.study import DISK_FULL, HOURS_OVER, Study

METRIC = "val/iou_best"


@pytest.fixture
def study() -> Study:
    sampler = Sampler({"lr": FloatDistribution(0.0, 1.0)}, 0, {"lr": 0.5})
    return Study(sampler, Asha(grace_period=2, reduction_factor=3, max_epochs=6), Budget(trials=4), METRIC)


def fake(name: str, error_file: Path | None = None) -> Trial:
    """As much of Ray's trial as the adapters look at."""
    return cast(Trial, cast(object, SimpleNamespace(config={"trial": name}, error_file=error_file)))


def report(rules: Rules, name: str, epoch: int, value: float) -> str:
    return rules.on_trial_result(None, fake(name), {"epoch": epoch, METRIC: value, "finished": False, "pid": 1})


def test_a_pause_frees_the_process_and_the_trial_is_given_again_when_it_is_promoted(study: Study):
    rules = Rules(study)
    names = []
    for value in (0.1, 0.3, 0.2):
        row = study.next_job()
        assert row
        names.append(row.name)
        assert report(rules, row.name, 1, value) == TrialScheduler.CONTINUE
        decision = report(rules, row.name, 2, value)
        assert decision == TrialScheduler.STOP
    promoted = study.next_job()
    assert promoted
    assert promoted.name == names[1]


def test_a_failed_trial_is_given_again_once_with_its_reason_kept(study: Study, tmp_path: Path):
    rules = Rules(study)
    row = study.next_job()
    assert row
    (tmp_path / "error.txt").write_text("Traceback ...\n  line 3\nRuntimeError: it broke\n\n")
    rules.on_trial_error(None, fake(row.name, tmp_path / "error.txt"))
    assert study.next_job() is row
    rules.on_trial_error(None, fake(row.name, tmp_path / "error.txt"))
    assert (row.state, row.reason) == ("failed", "RuntimeError: it broke")


def test_a_full_disk_ends_the_session_and_no_trial_has_failed(study: Study, tmp_path: Path):
    rules = Rules(study)
    row = study.next_job()
    assert row
    (tmp_path / "error.txt").write_text("Traceback ...\nOSError: [Errno 28] No space left on device: 'last.pth'\n")
    rules.on_trial_error(None, fake(row.name, tmp_path / "error.txt"))
    assert (row.state, row.failures, study.stopping) == ("waiting", 0, DISK_FULL)
    assert study.next_job() is None
    assert study.finished
    study.stopping = ""  # as in the next session
    assert study.next_job() is row


def test_a_lost_card_ends_the_session_and_no_trial_has_failed(study: Study, tmp_path: Path):
    rules = Rules(study)
    row = study.next_job()
    assert row
    (tmp_path / "error.txt").write_text("Traceback ...\ntrainable.guard.CardLost: There is a card.\n")
    rules.on_trial_error(None, fake(row.name, tmp_path / "error.txt"))
    assert (row.state, row.failures) == ("waiting", 0)
    assert study.stopping == "The graphics card is lost: There is a card"
    assert study.next_job() is None


@pytest.mark.parametrize(
    ("reason", "final"),
    [
        ("src.training.trainer.Diverged: epoch 1: train/loss=nan", True),
        ("trainable.guard.OutOfCardMemory: CUDA out of memory", True),
        ("trainable.guard.CardWasFull: 2 trials share the card. CUDA out of memory", False),
        ("torch.OutOfMemoryError: CUDA out of memory", False),  # nobody has said whose the card was
        ("src.errors.UserError: Unknown encoder", True),
        ("trainable.guard.OutOfHostMemory: 3 MiB are left", False),
        ("RuntimeError: DataLoader worker was killed", False),
        ("the process died", False),
    ],
)
def test_a_failure_of_the_configuration_is_not_tried_again(reason: str, final: bool):
    assert bool(FINAL.search(reason)) == final


def test_the_reason_is_the_errors_own_line_and_not_the_advice_below_it(tmp_path: Path):
    advice = "CUDA kernel errors might be asynchronously reported\nCompile with `TORCH_USE_CUDA_DSA` to enable"
    path = tmp_path / "error.txt"
    for line in (
        "torch.AcceleratorError: CUDA error: an illegal memory access was encountered",
        "src.training.trainer.Diverged: epoch 2: train/loss=nan",
        "trainable.guard.OutOfCardMemory: CUDA out of memory.",
        "filelock._error.Timeout: The file lock could not be acquired.",
        "KeyboardInterrupt",
    ):
        path.write_text(f'Traceback ...\n  File "trial.py", line 3\n    raise Error\n{line}\n{advice}\n\n')
        assert reason_of(fake("t0000", path)) == line
    path.write_text("some words\nof another kind\n")
    assert reason_of(fake("t0000", path)) == "of another kind"


def test_a_process_that_died_without_a_word_is_said_to_have_died():
    assert reason_of(fake("t0000")) == "the process died"


def test_ray_gets_no_more_trials_than_run_at_once(study: Study, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sweeps.ray_executor.Trial", lambda run, **about: SimpleNamespace(run=run, **about))
    jobs = Jobs(study, trials_at_once=2)
    jobs.spec = {"run": "CrackTrial", "storage": None, "resources_per_trial": None}
    first, second, third = (cast(Any, jobs.next_trial()) for _ in range(3))
    assert third is None
    assert first.trial_id == f"{first.config['trial']}-1"
    assert first.config["params"] == {"lr": 0.5}
    assert first.config["known"] == 0
    study.report(second.config["trial"], 1, {METRIC: 0.5})
    study.fail(second.config["trial"], "it broke")
    jobs.on_trial_complete(second.trial_id, error=True)
    again = cast(Any, jobs.next_trial())
    assert again.trial_id == f"{second.config['trial']}-2"
    assert again.config["known"] == 1
    assert not jobs.is_finished()


def test_the_search_is_finished_when_the_study_is_and_nothing_lives(study: Study):
    jobs = Jobs(study, 1)
    assert not jobs.is_finished()
    study.stopping = HOURS_OVER
    assert jobs.is_finished()
    jobs.live["t0000-1"] = "t0000"
    assert not jobs.is_finished()
    jobs.set_finished()  # Ray ends the session
    assert jobs.is_finished()


def test_a_signal_is_a_flag_and_a_second_one_an_interrupt(study: Study):
    before = signal.getsignal(signal.SIGTERM)
    with Signals() as signals:
        halt = Halt(study, signals, hours=None)
        assert not halt.stop_all()
        os.kill(os.getpid(), signal.SIGTERM)
        assert halt.stop_all()
        assert signals.received == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", HANDLED)
def test_a_signal_that_was_ignored_stays_so_as_under_nohup(number: signal.Signals):
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with Signals() as signals:
            signal.signal(number, signal.default_int_handler)  # as Ray's start does with SIGTERM
            signals.listen()
            os.kill(os.getpid(), number)
            assert signals.received is None
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_after_the_hours_nothing_begins_and_running_trials_end_their_epoch(study: Study):
    halt = Halt(study, Signals(), hours=1e-9)
    time.sleep(0.01)
    assert not halt.stop_all()
    assert study.stopping == HOURS_OVER
    assert study.next_job() is None


def test_ray_may_pickle_the_adapters(study: Study):
    for adapter in (Jobs(study, 1), Rules(study), Halt(study, Signals(), None)):
        assert type(pickle.loads(pickle.dumps(adapter))) is object
