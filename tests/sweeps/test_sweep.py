"""Whole sweeps through the real Ray."""

import contextlib
import csv
import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from checkout import ROOT
from finished import CANARY, FinishedSweep

from src.cards import Card
from src.config.compose import load_config
from src.config.overrides import load_overrides
from src.errors import UserError
from src.training.experiment import read_rows
from src.training.run import train
from sweeps.audit import audit
from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.preflight import prepare
from sweeps.run import main
from sweeps.search.events import Event, Failed, Interrupted, Reported, SessionBegan, Started
from sweeps.spec import load_spec
from sweeps.writer import locked
from trainable.resources import Resources

TIMES = {"epoch_seconds", "images_per_second", "record_seconds", "cost/milliseconds"}


def board(sweep: FinishedSweep) -> list[dict[str, str]]:
    with (sweep.folder / "leaderboard.csv").open() as file:
        return list(csv.DictReader(file))


def reports(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "result.json").read_text().splitlines()]


def test_a_sweep_prints_its_leaderboard_and_the_next_commands(finished_sweep: FinishedSweep):
    said = finished_sweep.stdout
    assert re.search(r"^1 at once, each on CPU cores: \d+$", said, re.MULTILINE)
    for row in board(finished_sweep):
        assert row["trial"] in said
    assert "retrain-best tiny_sweep" in said
    assert f"tensorboard --logdir {shlex.quote(str(finished_sweep.folder))}" in said


def test_what_was_checked_and_a_rung_that_comes_too_early_are_said_before_the_first_trial(
    finished_sweep: FinishedSweep,
):
    before, _, _ = finished_sweep.stdout.partition("t0000-")
    assert "warning: The rung at epoch 1" in before
    assert "Checked 4 configurations at the ends" in before


def test_no_secret_of_the_environment_is_in_anything_that_a_sweep_writes(finished_sweep: FinishedSweep):
    written = [path for path in finished_sweep.output_root.rglob("*") if path.is_file()]
    logs = [path for path in finished_sweep.ray_logs.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in written)
    assert any(path.stat().st_size for path in logs)
    assert not [path for path in written + logs if CANARY.encode() in path.read_bytes()]


def test_every_trial_is_on_the_board_once_best_first(finished_sweep: FinishedSweep):
    rows = board(finished_sweep)
    folders = sorted(path.name for path in finished_sweep.folder.glob("t*"))
    assert sorted(row["trial"] for row in rows) == folders
    assert [name[:5] for name in folders] == ["t0000", "t0001", "t0002", "t0003"]
    scores = [float(row["val/iou_best"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    for row in rows:
        lines = reports(finished_sweep.folder / row["trial"])
        assert [line["epoch"] for line in lines] == list(range(1, int(row["epochs"]) + 1))
        assert float(row["val/iou_best"]) == max(line["val/iou_best"] for line in lines)
        assert row["state"] == ("complete" if int(row["epochs"]) == 3 else "stopped")
    assert audit(finished_sweep.folder) == []


def test_trial_0_is_the_default_configuration(finished_sweep: FinishedSweep):
    (first,) = finished_sweep.folder.glob("t0000-*")
    assert reports(first)[0]["params"] == {"training.optimizer.lr_scale": 1.0, "training.loss": "dice_bce"}
    assert yaml.safe_load((finished_sweep.folder / "sweep.yaml").read_text())["trial_0"] == reports(first)[0]["params"]


def test_every_trial_trained_what_was_sampled_for_it(finished_sweep: FinishedSweep):
    rates: set[float] = set()
    for row in board(finished_sweep):
        kept = load_config(load_overrides(finished_sweep.folder / row["trial"] / "overrides.yaml"))
        assert kept.training.optimizer.lr_scale == float(row["training.optimizer.lr_scale"])
        assert "+".join(kept.training.loss) in {"bce", "dice+bce", "dice+focal"}
        rates.add(kept.training.optimizer.lr_scale)
    assert len(rates) == 4


def test_trials_share_as_many_processes_as_run_at_once(finished_sweep: FinishedSweep):
    resources = yaml.safe_load((finished_sweep.folder / "sweep.yaml").read_text())["resources"]
    # the name of an events file ends in host, process and number
    processes = {path.name.split(".")[-2] for path in finished_sweep.folder.glob("t*/logs/events.*")}
    assert len(processes) == resources["trials_at_once"]


@pytest.mark.parametrize("rank", [0, -1])
def test_the_same_overrides_outside_of_the_sweep_give_the_same_scores_bit_for_bit(
    finished_sweep: FinishedSweep, tmp_path: Path, rank: int
):
    trial = finished_sweep.folder / board(finished_sweep)[rank]["trial"]
    overrides = load_overrides(trial / "overrides.yaml")
    train(load_config(overrides), overrides, tmp_path / "run")
    inside, outside = (read_rows(folder / "metrics" / "metrics.csv") for folder in (trial, tmp_path / "run"))
    assert inside
    for one, other in zip(inside, outside, strict=False):  # a stopped trial has fewer epochs
        assert {key: one[key] for key in one.keys() - TIMES} == {key: other[key] for key in other.keys() - TIMES}


def test_nothing_of_ray_is_needed_to_read_a_trial(finished_sweep: FinishedSweep):
    for folder in finished_sweep.folder.glob("t*"):
        assert not re.search(r"[=,{}]", folder.name)
        assert {"overrides.yaml", "config.yaml", "provenance.json", "result.json", "logs", "checkpoints"} <= {
            path.name for path in folder.iterdir()
        }


def sweep_words(tiny: list[str], *more: str) -> list[str]:
    return [*(word for word in tiny if not word.startswith(("training.epochs=", "threads="))), *more]


def start(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sweeps.run", "quickstart", *words]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, process_group=0
    )


@pytest.mark.slow
def test_a_sweep_whose_trials_all_diverge_says_why_and_ends_with_1(tiny: list[str], tmp_path: Path):
    hopeless = sweep_words(tiny, "training.optimizer=sgd", "training.optimizer.lr=1e30")
    process = start(*hopeless, "--trials", "2", "--max-epochs", "2", "--trials-at-once", "1", "--name", "hopeless")
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 1, said
    assert "No trial has a score" in said
    rows = list(csv.DictReader((tmp_path / "outputs" / "sweeps" / "hopeless" / "leaderboard.csv").open()))
    assert [row["state"] for row in rows] == ["failed", "failed"]
    assert all("train/loss=nan" in row["reason"] for row in rows)


def wait_for(path: Path, text: str, process: subprocess.Popen[str]) -> None:
    """Until a file holds a text; a process that ends before is an error with what it said."""
    for _ in range(1200):
        if path.is_file() and text in path.read_text():
            return
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        time.sleep(0.1)
    pytest.fail(f"no {text} in {path}")


@pytest.fixture
def long_sweep(tiny: list[str]) -> Iterator[subprocess.Popen[str]]:
    process = start(*sweep_words(tiny), "--trials", "2", "--max-epochs", "5000", "--name", "long")
    yield process
    process.kill()
    process.wait()


LIMITED = """
from optuna.distributions import CategoricalDistribution, FloatDistribution
from sweeps.spec import Asha, Budget, Limits, SweepSpec

SPEC = SweepSpec(
    fixed=("model=architectures/unet", "model.encoder.name=tu-test_resnet", "model.encoder.pretrained=false"),
    space={
        "model.encoder.name": CategoricalDistribution(["tu-test_resnet", "resnet18"]),
        "training.optimizer.lr_scale": FloatDistribution(0.1, 10.0, log=True),
    },
    scheduler=Asha(grace_period=1, reduction_factor=3, max_epochs=3),
    budget=Budget(trials=3),
    limits=Limits(parameters=MOST),
)
"""


@pytest.mark.slow
def test_points_above_a_limit_are_skipped_and_counted_and_a_default_above_it_is_refused(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    spec = tmp_path / "limited.py"
    small = [word for word in tiny if not word.startswith(("model.encoder=", "threads=", "training.epochs="))]
    words = [str(spec), *small, "--trials-at-once", "1"]
    spec.write_text(LIMITED.replace("MOST", "10"))
    with pytest.raises(UserError, match=r"limits: .*parameters [\d,]+ > 10"):
        main([*words, "--dry-run"])
    with pytest.raises(UserError, match=r"limits: .*parameters [\d,]+ > 10"):
        main(words)
    spec.write_text(LIMITED.replace("MOST", "5e6"))
    assert main(words) == 0
    folder = tmp_path / "outputs" / "sweeps" / "limited"
    with (folder / "leaderboard.csv").open() as file:
        rows = list(csv.DictReader(file))
    skipped = [row for row in rows if row["state"] == "skipped"]
    assert len(rows) - len(skipped) == 3
    assert {row["model.encoder.name"] for row in rows if row not in skipped} == {"tu-test_resnet"}
    assert skipped
    for row in skipped:
        assert re.fullmatch(r"parameters [\d,]+ > 5,000,000", row["reason"])
    assert f"{len(skipped)} points were skipped" in capsys.readouterr().out
    assert audit(folder) == []
    spec.write_text(LIMITED.replace("MOST", "6e6"))
    with pytest.raises(UserError, match=r"limits: \{.parameters.: 5000000\.0\} -> \{.parameters.: 6000000\.0\}"):
        main([*words, "--extend", "1"])


@pytest.mark.slow
def test_an_interrupted_sweep_keeps_its_board_says_how_to_go_on_and_ends_with_the_signal(
    long_sweep: subprocess.Popen[str], tiny: list[str], tmp_path: Path
):
    folder = tmp_path / "outputs" / "sweeps" / "long"
    wait_for(folder / "leaderboard.csv", "running", long_sweep)
    with pytest.raises(UserError, match=f"process {long_sweep.pid}"):
        main(["quickstart", f"output_root={tmp_path / 'outputs'}", "--name", "long", "--resume"])
    os.killpg(long_sweep.pid, signal.SIGTERM)  # as `timeout` and batch systems do
    said, _ = long_sweep.communicate(timeout=60)
    assert long_sweep.returncode == 128 + signal.SIGTERM, said
    assert "Traceback" not in said
    assert f"python -m sweeps.run quickstart output_root={tmp_path}/outputs --name long --resume" in said
    rows = list(csv.DictReader((folder / "leaderboard.csv").open()))
    assert {row["state"] for row in rows} == {"waiting"}
    assert audit(folder) == []
    with pytest.raises(UserError, match="--resume"):
        main(["quickstart", *sweep_words(tiny), "--name", "long"])
    with pytest.raises(UserError, match=r"fixed: data.image_size: .32,32. -> .64,64."):
        main(
            [
                "quickstart",
                "data.image_size=[64,64]",
                f"output_root={tmp_path / 'outputs'}",
                "--name",
                "long",
                "--resume",
            ]
        )


@pytest.mark.slow
def test_ctrl_c_while_ray_starts_is_no_accident(tiny: list[str]):
    process = start(*sweep_words(tiny), "--trials", "2", "--max-epochs", "5000", "--name", "early")
    assert process.stdout
    while "different networks" not in process.stdout.readline():
        assert process.poll() is None
    time.sleep(1.5)  # in the middle of it
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT, said
    assert "python -m sweeps.run quickstart" in said


@pytest.mark.slow
def test_a_closed_terminal_interrupts_as_a_signal_does(tiny: list[str], tmp_path: Path):
    folder = tmp_path / "outputs" / "sweeps" / "closed"
    words = [*sweep_words(tiny), "--trials", "2", "--max-epochs", "5000", "--name", "closed"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, "-m", "sweeps.run", "quickstart", *words])
    reader = threading.Thread(target=drain, args=(terminal,), daemon=True)
    reader.start()
    for _ in range(1200):
        if (folder / "leaderboard.csv").is_file() and "running" in (folder / "leaderboard.csv").read_text():
            break
        time.sleep(0.1)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 128 + signal.SIGHUP
    assert events_of(folder)[-1] == Interrupted()
    assert audit(folder) == []


def events_of(folder: Path) -> list[Event]:
    return [record.event for record in Ledger(folder / LEDGER_FILE, read_only=True).records()]


def drain(terminal: int) -> None:
    """Read what is drawn, so that the program never waits for the terminal."""
    with contextlib.suppress(OSError):
        while os.read(terminal, 4096):
            pass


@pytest.mark.slow
def test_a_trial_whose_process_is_killed_goes_on_once_from_its_checkpoint_and_then_has_failed(
    tiny: list[str], tmp_path: Path
):
    process = start(
        *sweep_words(tiny), "--trials", "2", "--max-epochs", "5000", "--trials-at-once", "1", "--name", "hit"
    )
    folder = tmp_path / "outputs" / "sweeps" / "hit"
    killed: set[int] = set()
    for _ in range(2):
        while not (fresh := pids_of(folder, "t0000") - killed):
            time.sleep(0.1)
        wait_for(folder / "leaderboard.csv", "running", process)
        time.sleep(3.0)  # some epochs
        (pid,) = fresh
        os.kill(pid, signal.SIGKILL)
        killed.add(pid)
    wait_for(folder / "leaderboard.csv", "failed", process)
    os.kill(process.pid, signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, said
    events = events_of(folder)
    assert [event.retry for event in events if isinstance(event, Failed)] == [True, False]
    epochs = [event.epoch for event in events if isinstance(event, Reported) and event.trial.startswith("t0000")]
    assert epochs == list(range(1, len(epochs) + 1))  # it went on where it was
    assert audit(folder) == []


def pids_of(folder: Path, trial: str) -> set[int]:
    """The processes that a trial has had: the name of an events file ends in host, process and number."""
    return {int(path.name.split(".")[-2]) for path in folder.glob(f"{trial}-*/logs/events.*")}


@pytest.mark.slow
def test_after_its_hours_a_sweep_waits_and_goes_on_with_the_same_hours_again(tiny: list[str], tmp_path: Path):
    process = start(*sweep_words(tiny), "--trials", "2", "--max-epochs", "5000", "--hours", "0.006", "--name", "brief")
    folder = tmp_path / "outputs" / "sweeps" / "brief"
    for session in (1, 2):
        said, _ = process.communicate(timeout=240)
        assert process.returncode == 0, said
        go_on = f"python -m sweeps.run quickstart output_root={tmp_path}/outputs --name brief --resume\n"
        assert f": {go_on}" in said
        assert audit(folder) == []
        if session == 1:
            process = start(f"output_root={tmp_path / 'outputs'}", "--name", "brief", "--resume")
    kinds = [type(event) for event in events_of(folder)]
    assert (kinds.count(SessionBegan), kinds.count(Started)) == (2, 2)


@pytest.mark.slow
def test_a_sweep_that_was_killed_goes_on_to_what_it_would_have_come_to(finished_sweep: FinishedSweep, tmp_path: Path):
    overrides = ["data.image_size=[32,32]", "data.batch_size=4", "device=cpu"]
    overrides += [f"data.root={finished_sweep.output_root.with_name('data')}", f"output_root={tmp_path}"]
    options = ["--trials", "4", "--max-epochs", "3", "--name", "killed", "--trials-at-once", "1"]
    folder = tmp_path / "sweeps" / "killed"
    process = start(*overrides, *options)
    wait_for(folder / "leaderboard.csv", "paused", process)
    process.kill()
    process.wait()
    with pytest.raises(UserError, match=r"--resume.*--fresh"):
        main(["quickstart", *overrides, "--name", "killed"])
    done = start(f"output_root={tmp_path}", "--name", "killed", "--resume")
    said, _ = done.communicate(timeout=240)
    assert done.returncode == 0, said
    assert audit(folder) == []
    with (folder / "leaderboard.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert sum(isinstance(event, SessionBegan) for event in events_of(folder)) == 2
    # the same trials with the same scores and states as in a sweep that nobody killed
    assert [row | {"seconds": ""} for row in rows] == [row | {"seconds": ""} for row in board(finished_sweep)]
    assert main(["quickstart", f"output_root={tmp_path}", "--name", "killed", "--check"]) == 0
    with pytest.raises(UserError, match="--extend N"):
        main(["quickstart", f"output_root={tmp_path}", "--name", "killed", "--resume"])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a graphics card here")
def test_a_missing_card_is_named_before_ray_starts(tiny: list[str]):
    words = [word for word in sweep_words(tiny) if word != "device=cpu"]
    with pytest.raises(UserError, match="device=cuda"):
        main(["quickstart", *words, "device=cuda"])


@pytest.mark.slow
def test_networks_that_do_not_fit_the_card_are_refused_before_ray_starts(
    tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    words = [word for word in sweep_words(tiny) if word != "device=cpu"]
    small = Card("RTX", memory_mib=1000, free_mib=300)
    monkeypatch.setattr("sweeps.machines.find_cards", lambda device: [small])
    with pytest.raises(UserError, match=r"needs at least \d+ MiB.* has 44"):
        main(["quickstart", *words])
    assert not (tmp_path / "outputs" / "sweeps" / "quickstart" / LEDGER_FILE).exists()


def test_a_card_that_torch_cannot_use_is_named_before_anything_slow(tiny: list[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr("sweeps.preflight.open_split", None)  # to look at the images would fail
    words = [word for word in tiny if word.startswith(("data.", "output_root"))]
    with pytest.raises(UserError, match="There is a graphics card that torch"):
        main(["quickstart", *words])


def test_a_broken_image_is_named_before_ray_starts(tiny: list[str], tiny_data: Path, tmp_path: Path):
    root = tmp_path / "data"
    for path in tiny_data.rglob("*.png"):
        target = root / path.relative_to(tiny_data)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    broken = sorted((root / "test" / "images").iterdir())[0]
    broken.write_text("not a picture")
    with pytest.raises(UserError, match=re.escape(str(broken))):
        main(["quickstart", *sweep_words(tiny), f"data.root={root}"])


@pytest.mark.slow
def test_an_unknown_encoder_in_the_fixed_overrides_is_named_before_ray_starts(tiny: list[str]):
    with pytest.raises(UserError, match="Unknown encoder"):
        main(["quickstart", *sweep_words(tiny), "model.encoder.name=resnet17"])


def test_no_fewer_trials_can_be_asked_for_than_have_begun(finished_sweep: FinishedSweep):
    here = [f"output_root={finished_sweep.output_root}", "--name", "tiny_sweep"]
    with pytest.raises(UserError, match=r"--trials=4: .* 4 "):
        main(["quickstart", *here, "--resume", "--trials", "4"])


def test_a_check_says_how_what_is_missing_is_mended(
    finished_sweep: FinishedSweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = tmp_path / "sweeps" / "mine"
    shutil.copytree(finished_sweep.folder, folder, ignore=shutil.ignore_patterns("ray", "logs"))
    (folder / "leaderboard.csv").unlink()
    here = ["quickstart", f"output_root={tmp_path}", "--name", "mine", "--check"]
    assert main(here) == 1
    assert "--resume" not in capsys.readouterr().out  # it is finished: a resume would be refused
    Ledger(folder / LEDGER_FILE).append(Interrupted(), None, [])
    assert main(here) == 1
    assert "--resume" in capsys.readouterr().out
    with locked(folder):
        main(here)
    assert f"rocess {os.getpid()} " in capsys.readouterr().out


def test_data_that_would_spoil_every_result_is_refused_unless_it_is_accepted(
    tmp_path: Path, tiny_data: Path, tiny_cache: Path, capsys: pytest.CaptureFixture[str]
):
    root = tmp_path / "data"
    shutil.copytree(tiny_data, root)
    copied, replaced = (next((root / split / "images").iterdir()) for split in ("train", "test"))
    shutil.copyfile(copied, replaced)
    words = [f"data.root={root}", f"data.cache_dir={tiny_cache}", f"output_root={tmp_path / 'outputs'}"]
    spec = load_spec("quickstart")
    spec = replace(spec, fixed=(*spec.fixed, *words, "data.image_size=[32,32]", "device=cpu"))
    pair = f"train/{copied.stem} and test/{replaced.stem}"
    with pytest.raises(UserError, match=pair):
        prepare("quickstart", spec, 0, Resources(1, 1))
    (problem,) = prepare("quickstart", spec, 0, Resources(1, 1), accept_data=True).accepted
    assert problem.startswith("problem: ")
    assert f"accepted: {problem}" in capsys.readouterr().out
    command = ["quickstart", *words, "data.image_size=[32,32]", "device=cpu", "--dry-run"]
    with pytest.raises(UserError, match="--accept-data-warnings"):
        main(command)
