"""Exports of small networks, for tests."""

import json
from pathlib import Path
from typing import Any

from src.config.compose import load_config
from src.export import main
from src.training.trainer import Trainer


def written(checkpoint: Path, kind: str, out: Path, *more: str) -> dict[str, Any]:
    main([str(checkpoint), "--format", kind, "--out", str(out), *more])
    return json.loads((out / "network.json").read_text())


def trained(words: list[str], path: Path) -> Path:
    """A checkpoint of one epoch."""
    trainer = Trainer(load_config(words), words)
    trainer.train_epoch()
    trainer.save(path)
    return path
