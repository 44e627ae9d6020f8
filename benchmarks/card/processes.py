"""Sections sweep and kill: a real sweep on the card, and what is left of a process that was killed."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO

import torch

from benchmarks.card.bench import SECONDS_TO_FREE, Bench, Size, card_mib_outside
from benchmarks.card.neighbour import Neighbour
from benchmarks.card.place import ROOT, Place, module_command

SPARE_MIB = 64  # by which a card's memory may differ for other reasons
FIRST_EPOCH_SECONDS = 120.0
SAID = 600  # characters of a command that failed


def sweep(place: Place) -> None:
    """A sweep by the user's command, its driver killed, gone on with and audited; then two trials at once."""
    bench = Bench(**vars(place))
    outputs = bench.work / "sweeps"
    needed = ("data.root=", "data.cache_dir=", "data.image_size=")
    size = [word for word in bench.overrides(Size(128, 4)) if word.startswith(needed)]
    short = ["--trials", "4", "--max-epochs", "2"] if bench.dry else ["--trials", "6", "--max-epochs", "6"]
    begin = [f"output_root={outputs}", *size, *short, "--accept-data-warnings"]
    bench.attempt("resumed", partial(resume, bench, outputs, begin))
    bench.attempt(
        "two_at_once", lambda: follow(bench, "two_at_once", [*begin, "--name", "two", "--trials-at-once", "2"])
    )
    bench.note("devices_beside_the_card", other_devices(outputs))


def resume(bench: Bench, outputs: Path, begin: list[str]) -> None:
    """A sweep whose driver is killed when its first trial has trained an epoch; then its resumption and its audit."""
    before = card_mib_outside()
    victim = start(bench, begin)
    done = wait_for(lambda: any(outputs.glob("sweeps/quickstart/t*/result.json")), FIRST_EPOCH_SECONDS)
    bench.note("seconds_to_first_epoch", done)
    bench.note("mib_in_use", card_mib_outside() - before)
    victim.kill()
    victim.wait()
    bench.note("seconds_until_free", seconds_until_free(before))
    follow(bench, "resumed", [f"output_root={outputs}", "--resume"])
    follow(bench, "checked", [f"output_root={outputs}", "--check"])


def start(bench: Bench, words: list[str], said: IO[str] | None = None) -> subprocess.Popen[bytes]:
    """A command of the sweep; its words go to ``said``, or with the section's."""
    command = module_command("sweeps.run", "quickstart", *words)
    environment = os.environ | {"RAY_TMPDIR": str(bench.work)}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=subprocess.STDOUT if said else None)


def follow(bench: Bench, figure: str, words: list[str]) -> None:
    """Run a command of the sweep to its end; its exit code and seconds, and what it said last if it failed."""
    started = time.perf_counter()
    log = bench.work / f"{figure}.txt"
    with log.open("w") as said:
        code = start(bench, words, said).wait()
    bench.note(figure, code)
    bench.note(f"{figure}.seconds", time.perf_counter() - started)
    if code:
        bench.note(f"{figure}.said", log.read_text(errors="replace").strip()[-SAID:])


def other_devices(outputs: Path) -> list[str]:
    """The devices of trials that did not train on this card, or nowhere."""
    found = {json.loads(path.read_text())["device"] for path in outputs.glob("sweeps/*/t*/provenance.json")}
    own = torch.cuda.get_device_properties(0).name if torch.cuda.is_available() else "cpu"
    return sorted(found - {own}) if found else ["no trial"]


def kill(place: Place) -> None:
    """A training with loader processes, killed: when is its memory free again, and do its loaders end?"""
    bench = Bench(**vars(place))
    before = card_mib_outside()
    neighbour = Neighbour(bench, Size(128, 8), bench.memory_gib, workers=4)
    neighbour.wait_until_ready()
    neighbour.go(60.0)
    time.sleep(2.0)
    bench.note("mib_in_use", card_mib_outside() - before)
    processes = children(neighbour.process.pid)
    bench.note("loader_processes", len(processes))
    neighbour.process.send_signal(signal.SIGKILL)
    neighbour.process.wait()
    bench.note("seconds_until_free", seconds_until_free(before))
    bench.note("seconds_until_ended", wait_for(lambda: not any(map(is_alive, processes)), SECONDS_TO_FREE))
    bench.note("processes_left", sum(map(is_alive, processes)))


def children(pid: int) -> list[int]:
    """Process numbers of the children of all threads of a process."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(word) for path in lists for word in path.read_text().split()]


def is_alive(pid: int) -> bool:
    """Whether the process is there and has not ended (a zombie has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def seconds_until_free(before: float) -> float | None:
    """Until the card holds no more than before; None if that did not come soon enough."""
    return wait_for(lambda: card_mib_outside() <= before + SPARE_MIB, SECONDS_TO_FREE)


def wait_for(condition: Callable[[], bool], seconds: float) -> float | None:
    """How long it took; None if it did not come."""
    started = time.perf_counter()
    while not condition():
        if time.perf_counter() - started > seconds:
            return None
        time.sleep(0.2)
    return time.perf_counter() - started
