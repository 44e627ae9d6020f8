"""A Ray cluster of several nodes on this machine, each with an address of its own on the loopback, and with a token.

Ray would replace 127.0.0.1 by the machine's own address. Of 127.0.0.2 and following it uses each as it is.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

ROOT = Path(__file__).parents[1]
RAY = Path(sys.executable).with_name("ray")
START_SECONDS = 60.0
STARTED = "Ray runtime started"
START = {"RAY_worker_niceness": "0", "RAY_memory_monitor_refresh_ms": "0"}
"""Variables that Ray's own processes read when they start."""
TOKEN = "of-the-tests-of-this-project-only"


class MadeCluster:
    """Within its block the head runs; other nodes can be started, killed, stopped for a while, and started again."""

    def __init__(self, cores: int = 1, head_cores: int | None = None, **variables: str) -> None:
        """``cores``: of each node; the head may have others. ``variables``: of the environment of all programs."""
        self.head_cores = cores if head_cores is None else head_cores
        self.port, self.cores = free_port(), cores
        self.folder = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))  # a socket's path must be short
        token = {} if "HOME" in variables else {"RAY_AUTH_TOKEN": TOKEN}  # another home folder has its own
        own = {"RAY_AUTH_MODE": "token", "RAY_TMPDIR": str(self.folder), "PYTHONPATH": str(ROOT)}
        self.variables = variables | token | own
        self.nodes: dict[int, subprocess.Popen[bytes]] = {}
        """The processes of nodes, by the last number of their addresses."""

    def __enter__(self) -> Self:
        self.start(2, f"--num-cpus={self.head_cores}")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number in [*self.nodes]:
            self.kill(number)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def address(self) -> str:
        return f"127.0.0.2:{self.port}"

    def environment(self) -> dict[str, str]:
        """Of a program that joins."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        return own | self.variables

    def start(self, number: int, *options: str, folder: Path | None = None, **variables: str) -> None:
        """Start a node; the first one is the head. Its processes work in ``folder``, by default ``self.folder``."""
        where = ["--head", f"--port={self.port}", "--include-dashboard=false"] if not self.nodes else []
        where = where or [f"--address={self.address}"]
        memory = "--object-store-memory=80000000"
        words = [str(RAY), "start", "--block", f"--node-ip-address=127.0.0.{number}", memory, *where]
        log = self.folder / f"{number}.log"
        self.nodes[number] = subprocess.Popen(
            [*words, f"--num-cpus={self.cores}", *options],
            cwd=folder or self.folder,
            env=self.environment() | START | {"RAY_USAGE_STATS_ENABLED": "0"} | variables,
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        end = time.monotonic() + START_SECONDS
        while STARTED not in log.read_text():
            assert self.nodes[number].poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)

    def kill(self, number: int) -> None:
        """End all processes of a node at once, as when its machine loses its power."""
        self.signal(number, signal.SIGKILL)
        self.nodes.pop(number).wait()

    def signal(self, number: int, sent: int) -> None:
        """Send a signal to all processes of a node: SIGSTOP and SIGCONT are a network that is cut and mended."""
        for process in self.processes(number):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(sent)

    def processes(self, number: int) -> list[psutil.Process]:
        first = psutil.Process(self.nodes[number].pid)
        return [first, *first.children(recursive=True)]

    def trials(self, number: int) -> list[psutil.Process]:
        """The processes of a node that run trials, or are ready to."""
        return [process for process in self.processes(number) if runs_trials(process)]


def runs_trials(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):  # it ended since it was listed
        return "ray::" in process.name() and "Agent" not in process.name()
    return False


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.2", 0))
        return int(one.getsockname()[1])
