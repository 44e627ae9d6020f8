"""A real sweep of four trials on tiny data, which many tests read: made once, by the fixture ``finished_sweep``."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from checkout import ROOT

SECRETS = ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "WANDB_API_KEY", "DATABASE_PASSWORD")
ODD_NAME = "sweep [old] = {x}, 50%? Größe 'q' $HOME #1"
"""Of the folder that the finished sweep and its data are in."""
CANARY = "canary-in-the-mine"
"""What these hold in the environment of the finished sweep."""


@dataclass(frozen=True)
class FinishedSweep:
    """A real sweep of four trials, as the command line ran it."""

    output_root: Path
    folder: Path
    stdout: str
    ray_logs: Path
    """What Ray wrote outside of the output folder."""


def run_sweep(data: Path, output_root: Path) -> str:
    overrides = ["data.image_size=[32,32]", "data.batch_size=4", "device=cpu", f"data.root={data}"]
    options = [f"output_root={output_root}", "--trials", "4", "--max-epochs", "3", "--name", "tiny_sweep"]
    options += ["--trials-at-once", "1"]  # so that the order of reports, and with it every decision, is always the same
    with TemporaryDirectory() as ray_home:  # a socket's path must be short
        done = subprocess.run(
            [sys.executable, "-m", "sweeps.run", "quickstart", *overrides, *options],
            cwd=ROOT,
            env=os.environ | {"RAY_TMPDIR": ray_home} | dict.fromkeys(SECRETS, CANARY),
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert CANARY not in done.stdout + done.stderr
        shutil.copytree(Path(ray_home) / "ray" / "session_latest" / "logs", output_root.with_name("ray_logs"))
    return done.stdout
