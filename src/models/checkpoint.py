"""Saves and loads checkpoints: plain types and tensors in one file, written atomically, read without running code."""

import os
import zipfile
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import NoneType
from typing import Any, cast

import torch

from src.atomic import link_or_copy, replaced_file
from src.errors import UserError
from src.folders import in_full

FORMAT = 2  # raise it when the keys of a checkpoint change
KEYS: dict[str, type | tuple[type, ...]] = {
    "overrides": list,
    "epoch": int,
    "step": int,
    "best_epoch": int,
    "best_score": float,
    "micro_batch": int,
    "monitor": str,
    "threshold": float,
    "model": dict,
    "ema": (dict, NoneType),
    "optimizer": dict,
    "lr_scheduler": dict,
    "scaler": dict,
    "random": dict,
    "data_fingerprint": str,
    "scale": list,
}
"""The keys of a training's checkpoint, with their types."""


def do_nothing() -> None:
    pass


def save_checkpoint(payload: Mapping[str, Any], path: Path, before: Callable[[], None] = do_nothing) -> None:
    """Write ``payload`` so that ``path`` is always either the complete old file or the complete new one.

    ``before`` is called before the new one replaces the old one; if it raises an error, the old one stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced_file(path) as partial, partial.open("wb") as file:
        try:
            torch.save({"format": FORMAT, **payload}, file)
        except (OSError, RuntimeError) as error:
            refused = (
                error if isinstance(error, OSError) else error.__context__
            )  # torch hides the error of the disk behind its own
            if not isinstance(refused, OSError):
                raise
            raise OSError(refused.errno, refused.strerror, str(path)) from error
        file.flush()
        os.fsync(file.fileno())
        before()


class Background:
    """A thread that writes while the training continues, one task at a time."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._work: Future[None] | None = None

    def begin(self, work: Callable[[], None]) -> None:
        """Begin ``work`` when the previous task is done; an error of that task is raised here."""
        self.wait()
        self._work = self._thread.submit(work)

    def wait(self) -> None:
        """Wait until everything is written; an error of the writing is raised here, once."""
        work, self._work = self._work, None
        if work is not None:
            work.result()

    def close(self) -> None:
        try:
            self.wait()
        finally:
            self._thread.shutdown()


def link_checkpoint(source: Path, target: Path, before: Callable[[], None] = do_nothing) -> None:
    """Make ``target`` a hard link to ``source``, or a copy if the file system has no hard links.

    ``before`` is called before the target is replaced. ``save_checkpoint`` never writes into an existing file, so the
    link keeps its content when ``source`` is replaced.
    """
    with replaced_file(target) as partial:
        if not link_or_copy(source, partial):
            with partial.open("rb") as file:
                os.fsync(file.fileno())
        before()


def load_checkpoint(path: Path) -> dict[str, Any]:
    """The payload, with its tensors in CPU memory; the caller moves them to a card.

    No code in the file is run; a damaged or foreign file is a ``UserError``.
    """
    if not path.is_file():
        raise UserError(f"No such checkpoint: {in_full(path)}.")
    try:
        with zipfile.ZipFile(path) as archive:
            if any(record.compress_type != zipfile.ZIP_STORED for record in archive.infolist()):
                raise ValueError("its records are compressed")  # ours never are, those of a decompression bomb are
            damaged = archive.testzip()  # torch does not verify the checksums that it writes
        payload = None if damaged else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # foreign files make the unpickler raise anything
        detail = " ".join(str(error).split())[:200]
        raise UserError(f"{path} is not a checkpoint of ours, or it is damaged: {detail}") from error
    if damaged:
        raise UserError(f"{path} is damaged: the checksum of {damaged} in it is wrong.")
    if not isinstance(payload, dict) or "format" not in payload:
        raise UserError(f"{path} is not a checkpoint of ours: it has no format number.")
    version = cast(dict[str, Any], payload)["format"]
    if version != FORMAT:
        raise UserError(f"{path} has checkpoint format {version}; this program reads format {FORMAT}.")
    return cast(dict[str, Any], payload)


def load_training(path: Path) -> dict[str, Any]:
    """The payload of a training, checked to have all ``KEYS``; any other file is a ``UserError``."""
    payload = load_checkpoint(path)
    for key, kinds in KEYS.items():
        if not isinstance(payload.get(key), kinds):
            raise UserError(f"{path} is not a checkpoint of ours, or it is damaged: its {key} is missing or wrong.")
    numbers = [payload["threshold"], *payload["scale"]]
    if not (
        all(isinstance(word, str) for word in payload["overrides"])
        and len(numbers) == 3
        and all(isinstance(number, float) and 0 <= number < 1000 for number in numbers)
        and min(payload["scale"]) > 0
    ):
        raise UserError(f"{path} is damaged: its overrides, threshold or scale are invalid.")
    if payload["micro_batch"] < 1 or min(payload["epoch"], payload["step"], payload["best_epoch"]) < 0:
        raise UserError(f"{path} is damaged: its epoch, step or batch numbers are negative.")
    for key, value in (*payload["model"].items(), *(payload["ema"] or {}).items()):
        if not (isinstance(key, str) and isinstance(value, torch.Tensor) and value.layout is torch.strided):
            raise UserError(f"{path} is damaged: its weights are not all tensors.")
        if value.is_meta or not bool(value.isfinite().all()):
            raise UserError(f"{path} holds a broken network: its weights contain NaN or infinity.")
    return payload


def is_sound(path: Path) -> bool:
    """Whether a checkpoint is undamaged: every record in it has the checksum that was written with it."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False
