"""The sections as processes: each with its share of the time, its findings kept whatever becomes of it."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.card.place import ROOT, Place, module_command, read_figures
from src.atomic import replace_text
from src.errors import UserError

SHARES = {
    "numbers": 55,
    "heal": 60,
    "speed": 85,
    "deterministic": 50,
    "memory": 45,
    "packing": 50,
    "sweep": 85,
    "kill": 25,
    "scores": 25,
}
"""How the time is divided, the most telling section first: the seconds of each where all have eight minutes."""
MINUTES = 8.0
DRY_FACTOR = 20.0
"""How much longer a dry run may take: a CPU is slow, and nothing waits for it."""
LEAST_SECONDS = 12.0
"""A section that would have less is left out: to import torch and Ray takes as long."""
ERROR_LINES = 12

Result = dict[str, Any]


Keep = Callable[[str, Result], None]


def run_sections(place: Place, sections: Mapping[str, Sequence[str]], deadline: float, keep: Keep) -> None:
    """Run the sections in turn, of each the parts that are named or, if none is, all.

    A section may take its share of the time that is left until ``deadline``, a time of ``time.perf_counter``.
    ``keep`` hears of each when it has ended, failed or been left out.
    """
    names = list(sections)
    for number, name in enumerate(names):
        left = deadline - time.perf_counter()
        limit = left * SHARES[name] / sum(SHARES[later] for later in names[number:])
        parts = tuple(sections[name])
        if limit < LEAST_SECONDS:
            error = f"{left:.0f} s were left for it and those after it"
            result: Result = {"state": "left out", "error": error, "seconds": 0.0, "figures": {}}
        else:
            result = run_section(replace(place, parts=parts), name, limit)
        keep(name, result | ({"parts": parts} if parts else {}))


def run_section(place: Place, name: str, limit: float) -> Result:
    """One section in a process group of its own, which is ended with all its children at the limit."""
    findings, log = place.work / f"{name}.json", place.work / f"{name}.txt"
    started = time.perf_counter()
    with log.open("w") as said:
        process = subprocess.Popen(
            section_command(place, name, findings),
            cwd=ROOT,
            env=environment(place),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(limit)
            error = None if code == 0 else f"exit code {code}: {last_lines(log)}"
        except subprocess.TimeoutExpired:
            error = f"longer than {limit:.0f} s: {last_lines(log)}"
        finally:
            end_group(process)
    result: Result = {"state": "failed" if error else "ended"} | ({"error": error} if error else {})
    return result | {"seconds": round(time.perf_counter() - started, 1), "figures": read_figures(findings)}


def section_command(place: Place, name: str, findings: Path) -> list[str]:
    words = [name, str(place.work), str(findings), str(place.memory_gib), "dry" if place.dry else ""]
    return module_command("benchmarks.card.section", *words, *place.parts)


def environment(place: Place) -> dict[str, str]:
    """A dry run sees no card, and nobody's settings reach a section."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("CRACK_")}
    kept |= {"PYTHON_DOTENV_DISABLED": "true", "PYTHONUNBUFFERED": "1"}
    return kept | ({"CUDA_VISIBLE_DEVICES": ""} if place.dry else {})


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the process and its children."""
    with suppress(ProcessLookupError):  # all of them have ended
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def last_lines(log: Path) -> str:
    """The end of what a section printed."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return "\n".join(lines[-ERROR_LINES:])[-1500:] or "it printed nothing"


def about_card(place: Place) -> Mapping[str, Any]:
    """Card, driver and versions, asked in a process of its own so that no context stays here."""
    findings = place.work / "about.json"
    command = section_command(place, "about", findings)
    done = subprocess.run(command, cwd=ROOT, env=environment(place), capture_output=True, text=True, timeout=300)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason is given"])[-1]
        raise UserError(f"The card cannot be asked: {reason.removeprefix('src.errors.UserError: ')}")
    return read_figures(findings)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    replace_text(path, json.dumps(content, indent=1))
