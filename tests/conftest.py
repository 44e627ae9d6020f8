"""Fixtures for all tests: a tiny data set, and the overrides of a run on it that takes seconds on a CPU."""

import os
import shutil
import signal
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from finished import ODD_NAME, FinishedSweep, run_sweep

from src.synthetic import write_dataset
from sweeps.local_ray import LocalRay

# every run of the tests is told all that it needs; what the user keeps in the environment or in .env is not for them
for name in [name for name in os.environ if name.startswith("CRACK_")]:
    del os.environ[name]
os.environ["PYTHON_DOTENV_DISABLED"] = "true"
# what a script starts in the background ignores Ctrl-C, and so would the sweeps that the tests interrupt
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)


LONG = ("documents", "analysis", "sweeps", "trainable", "src/training", "src/models")
"""Folders whose tests come first, so that no process is left alone with a long file at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = [f"tests/{folder}/" for folder in LONG]
    items.sort(key=lambda item: [not item.nodeid.startswith(place) for place in places])


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Small tensors gain nothing from more, and lose much on a machine that does other work too."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def ray_starts_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray starts when a sweep waits for it: most of the sweeps in the tests' own process are refused before."""
    start, wait = LocalRay.start, LocalRay.wait

    def start_and_wait(ray: LocalRay) -> None:
        start(ray)
        wait(ray)

    monkeypatch.setattr(LocalRay, "start", lambda self: None)
    monkeypatch.setattr(LocalRay, "wait", start_and_wait)


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
    return tiny_words(tiny_data, tiny_cache, tmp_path / "outputs")


@pytest.fixture
def tiny_here(tiny_data: Path, tiny_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The same in words that are those of every other test, so that they are composed once; one stands in ``tmp_path``.

    A file whose tests compose much takes it as its ``tiny``.
    """
    monkeypatch.chdir(tmp_path)
    return tiny_words(tiny_data, tiny_cache, Path("outputs"))


def tiny_words(data: Path, cache: Path, output_root: Path) -> list[str]:
    return [
        "model.encoder=tiny",
        "model.decoder=tiny",
        "data.image_size=[32,32]",
        "data.batch_size=4",
        "training.epochs=2",
        "threads=1",
        "device=cpu",
        f"data.root={data}",
        f"data.cache_dir={cache}",
        f"output_root={output_root}",
    ]


@pytest.fixture(scope="session")
def trained_words(tiny_data: Path, tiny_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Overrides of ``trained_run``: those of ``tiny``, with averaged weights."""
    words = tiny_words(tiny_data, tiny_cache, tmp_path_factory.mktemp("trained") / "outputs")
    return [*words, "training.ema_decay=0.9"]


@pytest.fixture(scope="session")
def trained_run(trained_words: list[str]) -> Path:
    """The folder of a run, trained once for all tests. Do not write into it: ``run_folder`` is a copy."""
    from src.config.compose import load_config
    from src.training.run import train  # seconds to import, and most test files do without

    return train(load_config(trained_words), trained_words)


@pytest.fixture
def run_folder(trained_run: Path, tmp_path: Path) -> Path:
    """A copy of ``trained_run``, where it would be if this test had trained it."""
    return shutil.copytree(trained_run, tmp_path / "outputs" / "experiments" / trained_run.name)


@pytest.fixture
def checkpoint(run_folder: Path) -> Path:
    """The best checkpoint of ``run_folder``."""
    return run_folder / "checkpoints" / "best_model.pth"


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
