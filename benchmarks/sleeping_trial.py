"""A trial that only sleeps, in place of ``trainable.ray_trial``; its process needs no torch, so it is ready at once.

It keeps a trial's folder as ``trainable.trial`` does, with checkpoints of a few bytes. SLEEP is the length of an epoch
in seconds; none ends on the node whose address is in the file TRAINED/held. Each epoch that was trained is a line in
TRAINED/epochs.jsonl: trial, epoch, attempt, process, Ray's address of the node, and the graphics cards that Ray gave.
"""

import hashlib
import json
import os
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ray
from filelock import FileLock
from ray import tune

from src.atomic import replaced_file
from src.cards import Card
from src.lines import append_line, read_lines, replace_lines
from trainable.attempts import lock_folder, require_latest, take_over
from trainable.plan import TrialPlan

METRIC = "val/iou_best"
HELD = "held"


class Sleeping(tune.Trainable):
    """Takes the place of ``trainable.ray_trial.CrackTrial``."""

    lock: FileLock | None = None

    def setup(self, config: dict[str, Any], plan: TrialPlan | None = None) -> None:
        assert plan is not None
        self.plan = plan
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.release()
        self.job, self.begun = new_config, False
        return True

    def step(self) -> dict[str, Any]:
        if "corners" in self.job:
            return {"refused": ""}
        if not self.begun:
            self.begin()
        return self.result(self.unreported.pop(0)) if self.unreported else self.sleep()

    def begin(self) -> None:
        self.folder = self.plan.sweep_dir / self.job["trial"]
        (self.folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        self.lock, self.begun = lock_folder(self.folder), True
        take_over(self.folder, self.job["attempt"])
        self.epoch = saved_epoch(self.folder)
        lines = [line for line in read_lines(self.folder / "result.json") if line["epoch"] <= self.epoch]
        replace_lines(self.folder / "result.json", lines)
        self.unreported = [line for line in lines if line["epoch"] > self.job["reported_epochs"]]

    def sleep(self) -> dict[str, Any]:
        address, trained = ray.util.get_node_ip_address(), Path(os.environ["TRAINED"])
        time.sleep(float(os.environ["SLEEP"]))
        while (trained / HELD).exists() and (trained / HELD).read_text() == address:
            time.sleep(0.1)
        self.epoch += 1
        value = score(self.job["params"], self.epoch)
        line = {"trial": self.job["trial"], "epoch": self.epoch, METRIC: value, "attempt": self.job["attempt"]}
        require_latest(self.folder, self.job["attempt"])
        cards = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        about = {"time": time.time(), "pid": os.getpid(), "node": address, "cards": cards}
        append_line(trained / "epochs.jsonl", line | about)
        append_line(self.folder / "result.json", line)
        for name in ("last", "best_model"):
            with (
                replaced_file(self.folder / "checkpoints" / f"{name}.pth") as path,
                zipfile.ZipFile(path, "w") as archive,
            ):
                archive.writestr("epoch", str(self.epoch))
        return self.result(line)

    def result(self, line: Mapping[str, Any]) -> dict[str, Any]:
        return {"epoch": line["epoch"], "metrics": {METRIC: line[METRIC]}, "finished": False}

    def release(self) -> None:
        if self.lock is not None:
            self.lock.release()

    def cleanup(self) -> None:
        self.release()


def made_up_cards(device: str) -> tuple[Card, ...]:
    """A card for each that Ray gives to this process; takes the place of ``trainable.node_report.look_for_cards``."""
    numbers = [number for number in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if number]
    return tuple(Card("made up", memory_mib=8192, free_mib=7000) for _ in numbers)


def saved_epoch(folder: Path) -> int:
    path = folder / "checkpoints" / "last.pth"
    if not path.is_file():
        return 0
    with zipfile.ZipFile(path) as archive:
        return int(archive.read("epoch"))


def score(params: Mapping[str, Any], epoch: int) -> float:
    """Grows with the epochs, to a height that the parameters decide."""
    digest = hashlib.sha256(json.dumps(dict(params), sort_keys=True).encode()).digest()
    return (digest[0] / 255) * (1 - 0.5**epoch)
