"""Fixtures for all tests: a tiny data set, and the overrides of a run on it that takes seconds on a CPU."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from filelock import FileLock

from src.synthetic import write_dataset

# every run of the tests is told all that it needs; what the user keeps in the environment or in .env is not for them
for name in [name for name in os.environ if name.startswith("CRACK_")]:
    del os.environ[name]
os.environ["PYTHON_DOTENV_DISABLED"] = "true"
# what a script starts in the background ignores Ctrl-C, and so would the sweeps that the tests interrupt
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)


SECRETS = ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "WANDB_API_KEY", "DATABASE_PASSWORD")
ODD_NAME = "sweep [old] = {x}, 50%? Größe 'q' $HOME #1"
"""Of the folder that the finished sweep and its data are in."""
CANARY = "canary-in-the-mine"
"""What these hold in the environment of the finished sweep."""


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Small tensors gain nothing from more, and lose much on a machine that does other work too."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """{train,val,test}/{images,masks} with 14, 3 and 3 pairs of 32x32 pixels. Do not write into it."""
    root = tmp_path_factory.mktemp("tiny") / "data"
    write_dataset(root, images=20, seed=1, size=32)  # seed 1: cracks in every split
    return root


@pytest.fixture(scope="session")
def tiny_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Decoded images, decoded once for all tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def tiny(tiny_data: Path, tiny_cache: Path, tmp_path: Path) -> list[str]:
    """Overrides of a run of two epochs on ``tiny_data``; it writes under ``tmp_path / "outputs"``."""
    return [
        "model.encoder=tiny",
        "model.decoder=tiny",
        "data.image_size=[32,32]",
        "data.batch_size=4",
        "training.epochs=2",
        "threads=1",
        "device=cpu",
        f"data.root={tiny_data}",
        f"data.cache_dir={tiny_cache}",
        f"output_root={tmp_path / 'outputs'}",
    ]


@dataclass(frozen=True)
class FinishedSweep:
    """A real sweep of four trials, as the command line ran it."""

    output_root: Path
    folder: Path
    stdout: str
    ray_logs: Path
    """What Ray wrote outside of the output folder."""


@pytest.fixture(scope="session")
def finished_sweep(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> FinishedSweep:
    """``python -m sweeps.run quickstart`` on tiny data: four trials of at most three epochs, one after the
    other, named tiny_sweep.

    Made once for all processes that run tests.
    """
    base = tmp_path_factory.getbasetemp()
    output_root = (base if worker_id == "master" else base.parent) / ODD_NAME / "outputs"
    output_root.mkdir(parents=True, exist_ok=True)
    said = output_root.with_name("said.txt")
    with FileLock(output_root.with_name("lock")):
        if not said.is_file():
            data = output_root.with_name("data")
            write_dataset(data, images=20, seed=1, size=32)
            said.write_text(run_sweep(data, output_root))
    folder = output_root / "sweeps" / "tiny_sweep"
    return FinishedSweep(output_root, folder, said.read_text(), output_root.with_name("ray_logs"))


def run_sweep(data: Path, output_root: Path) -> str:
    overrides = ["data.image_size=[32,32]", "data.batch_size=4", "device=cpu", f"data.root={data}"]
    options = [f"output_root={output_root}", "--trials", "4", "--max-epochs", "3", "--name", "tiny_sweep"]
    options += ["--trials-at-once", "1"]  # so that the order of reports, and with it every decision, is always the same
    with TemporaryDirectory() as ray_home:  # a socket's path must be short
        done = subprocess.run(
            [sys.executable, "-m", "sweeps.run", "quickstart", *overrides, *options],
            cwd=Path(__file__).parents[1],
            env=os.environ | {"RAY_TMPDIR": ray_home} | dict.fromkeys(SECRETS, CANARY),
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert CANARY not in done.stdout + done.stderr
        shutil.copytree(Path(ray_home) / "ray" / "session_latest" / "logs", output_root.with_name("ray_logs"))
    return done.stdout
