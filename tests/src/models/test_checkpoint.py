"""Checkpoints: ``python -m pytest tests/src/models/test_checkpoint.py``."""

import errno
import os
import pickle
import random
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from src.errors import UserError
from src.models import checkpoint
from src.models.checkpoint import FORMAT, link_checkpoint, load_checkpoint, load_training, save_checkpoint


class Trap:
    """Unpickled, it makes a file."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.canary),)


def test_a_payload_comes_back_as_it_was(tmp_path: Path) -> None:
    payload = {"epoch": 3, "score": 0.5, "overrides": ["a=1"], "ema": None, "model": {"w": torch.arange(3.0)}}
    save_checkpoint(payload, tmp_path / "deep" / "last.pth")
    loaded = load_checkpoint(tmp_path / "deep" / "last.pth")
    assert torch.equal(loaded.pop("model")["w"], torch.arange(3.0))
    assert loaded == {"format": FORMAT, "epoch": 3, "score": 0.5, "overrides": ["a=1"], "ema": None}


def test_no_code_is_needed_to_read_a_checkpoint(tmp_path: Path) -> None:
    save_checkpoint({"w": torch.ones(2)}, tmp_path / "last.pth")
    assert torch.load(tmp_path / "last.pth", weights_only=True)["format"] == FORMAT


def test_the_state_of_a_network_and_its_optimizer_can_be_kept(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.rand(4, 3)).sum().backward()
    optimizer.step()
    save_checkpoint({"model": network.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "a.pth")
    loaded = load_checkpoint(tmp_path / "a.pth")
    optimizer.load_state_dict(loaded["optimizer"])
    for name, value in network.state_dict().items():
        assert torch.equal(loaded["model"][name], value)


def test_only_the_checkpoint_is_left_in_its_folder(tmp_path: Path) -> None:
    for epoch in range(3):
        save_checkpoint({"epoch": epoch}, tmp_path / "last.pth")
    assert [path.name for path in tmp_path.iterdir()] == ["last.pth"]
    assert load_checkpoint(tmp_path / "last.pth")["epoch"] == 2


def half_written(*arguments: Any) -> None:
    """In the place of ``torch.save``: the disk is full half-way."""
    arguments[1].write(b"half")
    raise OSError(28, "No space left on device")


def test_a_failure_while_writing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint({"epoch": 1}, tmp_path / "last.pth")
    monkeypatch.setattr(torch, "save", half_written)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint({"epoch": 2}, tmp_path / "last.pth")
    assert load_checkpoint(tmp_path / "last.pth")["epoch"] == 1


def test_a_kill_before_the_rename_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint({"epoch": 1}, tmp_path / "last.pth")

    def killed(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint({"epoch": 2}, tmp_path / "last.pth")
    assert load_checkpoint(tmp_path / "last.pth")["epoch"] == 1


def test_a_failure_while_writing_leaves_no_half_file_on_the_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "save", half_written)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint({"epoch": 2}, tmp_path / "last.pth")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("linkable", [True, False])
def test_a_linked_checkpoint_keeps_its_content_when_the_source_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linkable: bool
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no links here")

    if not linkable:
        monkeypatch.setattr(checkpoint.os, "link", refuse)
    last, best = tmp_path / "last.pth", tmp_path / "best_model.pth"
    for epoch in (1, 2):  # the second time there already is a best checkpoint
        save_checkpoint({"epoch": epoch}, last)
        link_checkpoint(last, best)
    assert (last.stat().st_ino == best.stat().st_ino) == linkable
    save_checkpoint({"epoch": 3}, last)
    assert [load_checkpoint(path)["epoch"] for path in (best, last)] == [2, 3]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best_model.pth", "last.pth"]


def test_linking_the_same_file_twice_is_no_mistake(tmp_path: Path) -> None:
    save_checkpoint({"epoch": 1}, tmp_path / "last.pth")
    for _ in range(2):
        link_checkpoint(tmp_path / "last.pth", tmp_path / "best.pth")
    (tmp_path / "last.pth").unlink()
    assert load_checkpoint(tmp_path / "best.pth")["epoch"] == 1


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_checkpoint_is_refused_by_name(tmp_path: Path, share: float) -> None:
    path = tmp_path / "last.pth"
    save_checkpoint({"w": torch.rand(1000)}, path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(UserError, match=r"last\.pth is not a checkpoint of ours, or it is damaged"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04 no zip",
        bytes(range(256)) * 8,
        b"\x89PNG\r\n\x1a\n",
        b"epoch: 3\n",  # IndexError
        b"just some words\n",  # KeyError
        b"\x80\x02.",
        b"J\x05",  # struct.error
    ],
    ids=str,
)
def test_a_file_of_another_kind_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "notes.pth").write_bytes(content)
    with pytest.raises(UserError, match=r"notes\.pth"):
        load_checkpoint(tmp_path / "notes.pth")


def test_a_missing_file_and_a_folder_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"No such checkpoint: .*none\.pth"):
        load_checkpoint(tmp_path / "none.pth")
    with pytest.raises(UserError, match=str(tmp_path)):
        load_checkpoint(tmp_path)


def test_a_checkpoint_with_a_changed_byte_is_refused_or_read_but_nothing_else(tmp_path: Path) -> None:
    path, rng = tmp_path / "last.pth", random.Random(0)
    save_checkpoint({"w": torch.rand(10), "more": {"a": [1, 2]}}, path)
    good = path.read_bytes()
    for _ in range(1000):
        place = rng.randrange(len(good))
        path.write_bytes(good[:place] + bytes([rng.randrange(256)]) + good[place + 1 :])
        with suppress(UserError):
            load_checkpoint(path)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    path, canary = tmp_path / "last.pth", tmp_path / "canary"
    torch.save({"format": FORMAT, "model": Trap(canary)}, path)
    with pytest.raises(UserError, match=r"last\.pth"):
        load_checkpoint(path)
    path.write_bytes(pickle.dumps(Trap(canary)))
    with pytest.raises(UserError, match=r"last\.pth"):
        load_checkpoint(path)
    assert not canary.exists()
    pickle.loads(path.read_bytes())
    assert canary.exists()  # the trap works


@pytest.mark.parametrize("payload", [{"epoch": 3}, [1, 2], torch.ones(2)], ids=["mapping", "list", "tensor"])
def test_a_torch_file_without_a_format_number_is_refused(tmp_path: Path, payload: object) -> None:
    torch.save(payload, tmp_path / "other.pth")
    with pytest.raises(UserError, match=r"other\.pth is not a checkpoint of ours: it has no format number"):
        load_checkpoint(tmp_path / "other.pth")


def test_a_checkpoint_of_another_format_is_refused_with_both_numbers(tmp_path: Path) -> None:
    torch.save({"format": FORMAT + 1}, tmp_path / "new.pth")
    with pytest.raises(UserError, match=rf"new\.pth has checkpoint format {FORMAT + 1}; .* reads format {FORMAT}"):
        load_checkpoint(tmp_path / "new.pth")


WHOLE: dict[str, Any] = {
    **{"overrides": [], "epoch": 1, "step": 1, "best_epoch": 1, "best_score": 0.5, "micro_batch": 1},
    **{"monitor": "val/iou", "threshold": 0.5, "model": {}, "ema": None, "optimizer": {}, "lr_scheduler": {}},
    **{"scaler": {}, "random": {}, "data_fingerprint": "a", "scale": [1.0, 1.0]},
}


@pytest.mark.parametrize(
    "changes",
    [
        {"model": None},
        {"overrides": "x"},
        {"overrides": [1]},
        {"threshold": float("nan")},
        {"scale": [1.0]},
        {"scale": [1e9, 1.0]},
        {"epoch": -1},
        {"micro_batch": 0},
    ],
    ids=str,
)
def test_a_checkpoint_without_what_a_training_keeps_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    save_checkpoint(WHOLE, tmp_path / "a.pth")
    assert load_training(tmp_path / "a.pth")["epoch"] == 1
    save_checkpoint(WHOLE | changes, tmp_path / "a.pth")
    with pytest.raises(UserError, match=r"a\.pth is .*damaged"):
        load_training(tmp_path / "a.pth")


def test_a_checkpoint_of_compressed_records_is_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10**7))
    with pytest.raises(UserError, match="its records are compressed"):
        load_checkpoint(tmp_path / "a.pth")


@pytest.mark.parametrize("name", ["model", "ema"])
def test_a_checkpoint_of_weights_that_are_no_numbers_is_refused(tmp_path: Path, name: str) -> None:
    save_checkpoint(WHOLE | {name: {"a": torch.tensor([1.0, float("nan")])}}, tmp_path / "last.pth")
    with pytest.raises(UserError, match=r"last\.pth .*NaN"):
        load_training(tmp_path / "last.pth")


def test_a_full_disk_is_an_error_of_the_system_that_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = torch.save
    with Path("/dev/full").open("wb", buffering=0) as device:
        monkeypatch.setattr(checkpoint.torch, "save", lambda payload, file: save(payload, device))
        with pytest.raises(OSError, match=r"No space left on device: .*a\.pth") as caught:
            save_checkpoint({"a": torch.ones(100_000)}, tmp_path / "a.pth")
    assert caught.value.errno == errno.ENOSPC


def test_another_failure_of_torch_is_not_said_to_be_the_disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(payload: object, file: object) -> None:
        raise RuntimeError("CUDA error")

    monkeypatch.setattr(checkpoint.torch, "save", fail)
    with pytest.raises(RuntimeError, match="CUDA error"):
        save_checkpoint({}, tmp_path / "a.pth")
