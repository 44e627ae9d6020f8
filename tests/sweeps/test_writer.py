"""One process writes into a sweep's folder, on whatever machine."""

import errno
import json
import multiprocessing
import os
import signal
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

import sweeps.writer
from src.errors import UserError
from sweeps.writer import lock_of, locked, refuse_second_writer, renewed, this_process, writer

ELSEWHERE = replace(this_process(), pid=7, host="node7", boot="of another machine")


def hold(folder: Path, connection: Any) -> None:
    with locked(folder):
        connection.send(os.getpid())
        connection.recv()


def test_a_second_writer_is_told_who_writes_until_that_one_dies(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=hold, args=(tmp_path / "sweep", theirs))
    process.start()
    pid = ours.recv()
    with pytest.raises(UserError, match=f"process {pid}"), locked(tmp_path / "sweep"):
        pass
    os.kill(pid, signal.SIGKILL)
    process.join()
    assert f'"pid": {pid}' in lock_of(tmp_path / "sweep").read_text()  # the number may be that of another process now
    assert writer(tmp_path / "sweep") is None
    refuse_second_writer(tmp_path / "sweep")
    with locked(tmp_path / "sweep"):
        assert writer(tmp_path / "sweep") == f"process {os.getpid()}"


def test_a_writer_on_another_machine_is_named_with_it(tmp_path: Path):
    with locked(tmp_path / "sweep"):
        lock_of(tmp_path / "sweep").write_text(json.dumps(asdict(ELSEWHERE)))
        assert writer(tmp_path / "sweep") == "process 7 on node7"


@pytest.fixture
def on_network_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "sweeps.writer.is_network_disk", lambda folder: True
    )  # pyright: ignore[reportUnknownLambdaType]
    monkeypatch.setattr(sweeps.writer, "RENEWED_SECONDS", 0.05)
    monkeypatch.setattr(sweeps.writer, "SILENT_SECONDS", 1.0)


@pytest.mark.usefixtures("on_network_disk")
def test_a_writer_that_renews_its_file_is_noticed_where_locks_do_not_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("sweeps.writer.take", lambda file: True)  # pyright: ignore[reportUnknownLambdaType]
    monkeypatch.setattr("sweeps.writer.is_taken", lambda path: False)  # pyright: ignore[reportUnknownLambdaType]
    lock = lock_of(tmp_path / "sweep")
    lock.write_text(json.dumps(asdict(ELSEWHERE)))
    monkeypatch.setattr("sweeps.writer.this_process", lambda: ELSEWHERE)
    with renewed(lock):  # by that process
        assert writer(tmp_path / "sweep") == "process 7 on node7"
        with pytest.raises(UserError, match="process 7 on node7"), locked(tmp_path / "sweep"):
            pass


@pytest.mark.usefixtures("on_network_disk")
def test_a_folder_whose_writer_on_another_machine_was_killed_is_taken_after_a_while(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    lock_of(tmp_path / "sweep").write_text(json.dumps(asdict(ELSEWHERE)))
    os.utime(lock_of(tmp_path / "sweep"), (0, 0))
    assert writer(tmp_path / "sweep") is None
    with locked(tmp_path / "sweep"):
        assert writer(tmp_path / "sweep") == f"process {os.getpid()}"
    assert "process 7 on node7" in capsys.readouterr().out


@pytest.mark.usefixtures("on_network_disk")
@pytest.mark.parametrize(
    "text", ["", "process 12", json.dumps(asdict(this_process()))], ids=["nothing", "older version", "this machine"]
)
def test_after_a_writer_of_this_machine_nobody_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str):
    lock_of(tmp_path / "sweep").write_text(text)
    with locked(tmp_path / "sweep"):
        pass
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_drive_without_locks_is_named_with_what_to_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int):
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("sweeps.locks.fcntl.flock", refuse)
    with pytest.raises(UserError, match="output_root=") as caught, locked(tmp_path / "sweep"):
        pass
    assert os.strerror(number) in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.usefixtures("on_network_disk")
def test_a_process_whose_folder_was_taken_leaves_the_name_of_the_next_one(tmp_path: Path):
    lock = lock_of(tmp_path / "sweep")
    with locked(tmp_path / "sweep"):
        lock.write_text(json.dumps(asdict(ELSEWHERE)))
        os.utime(lock, (0, 0))
        time.sleep(0.2)  # several renewals
        assert lock.stat().st_mtime == 0
    assert lock.read_text() == json.dumps(asdict(ELSEWHERE))
