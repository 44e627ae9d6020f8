"""Commands out of documents, and ways to run them as a user would."""

import importlib
import io
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, cast
from urllib.request import Request, urlopen

import yaml
from checkout import ROOT

import run
from src.config.compose import Composed, compose
from src.config.overrides import Overrides
from src.training.experiment import read_rows

BIN = Path(sys.executable).parent


def commands(text: str) -> list[str]:
    """The commands of a document's bash blocks: continued lines joined, comments and spare spaces gone."""
    blocks = re.findall(r"^ *```bash\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in textwrap.dedent(re.sub(r" *\\\n\s*", " ", block)).splitlines()]
    return [line for line in (re.sub(r"(^|\s+)#.*", "", line).strip() for line in lines) if line]


def run_command_line(command: str, *more: str, cwd: Path = ROOT, timeout: float = 280) -> str:
    """Run a command with more words behind it; returns what it printed. A program comes from our environment."""
    program, *words = shlex.split(command)
    here = BIN / program
    done = subprocess.run(
        [str(here) if here.exists() else program, *words, *more],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, f"{command} {more}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run_here(command: str, *more: str) -> str:
    """The same for a ``python -m MODULE ...`` of ours, in this process: the seconds that torch takes are spent once."""
    python, dash, module, *words = shlex.split(command)
    assert (python, dash) == ("python", "-m")
    said = io.StringIO()
    with redirect_stdout(said):
        assert not importlib.import_module(module).main([*words, *more]), said.getvalue()
    return said.getvalue()


def train_as(command: str, tiny: list[str], output_root: Path) -> Path:
    """``python run.py ...`` of a document in this process, small, for one epoch; returns the run's folder.

    The network is tiny, unless the command names one. Asserts that every other override of the command is what the run
    had, and that its epoch is there.
    """
    words = shlex.split(command)[2:]
    own = ("model.", "training.", "data.batch_size") if "model" in command else ("training.", "data.batch_size")
    more = [*(word for word in tiny if not word.startswith(own)), "training.epochs=1"]
    before = set((output_root / "experiments").glob("*"))
    run.main([*words, *more])
    (folder,) = set((output_root / "experiments").glob("*")) - before
    values = yaml.safe_load((folder / "config.yaml").read_text())
    composed = Composed(values, compose([*words, *more]).choices)
    for item in Overrides.parse(words).without(*Overrides.parse(more).keys).items:
        assert composed.value(item.key) == yaml.safe_load(item.value or ""), item
    assert len(read_rows(folder / "metrics" / "metrics.csv")) == 1
    return folder


@contextmanager
def serving(command: str, cwd: Path = ROOT) -> Generator[str]:
    """The address of ``tensorboard ...`` or ``optuna-dashboard ...``, started on a free port, once it answers."""
    program, *words = shlex.split(command)
    server = subprocess.Popen(
        [str(BIN / program), *words, "--port", str(free_port())],
        cwd=cwd,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert server.stdout is not None
    found = (re.search(r"http://\S+", line) for line in server.stdout)
    try:
        url = next(match.group() for match in found if match)
        wait_for(url)
        yield url
    finally:
        server.kill()
        server.wait()


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def wait_for(url: str) -> None:
    """Until a server takes connections, or half a minute is over."""
    for _ in range(60):
        try:
            urlopen(url, timeout=60).close()
            return
        except OSError:
            time.sleep(0.5)


def ask(url: str, path: str, body: Mapping[str, object] | None = None) -> Any:
    """The JSON that a server answers."""
    content = json.dumps(body).encode() if body is not None else None
    request = Request(url.rstrip("/") + path, data=content, headers={"Content-Type": "application/json"})
    with urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def runs_of(url: str, expected: set[str]) -> set[str]:
    """The runs that TensorBoard lists, once these are among them or half a minute is over."""
    runs: set[str] = set()
    for _ in range(60):  # it reads the events in the background
        runs = set(cast(list[str], ask(url, "/data/runs")))
        if expected <= runs:
            break
        time.sleep(0.5)
    return runs
