"""Make .venv with the packages of requirements.lock: ``make install``. What stands in the way is named in one sentence.

It runs with any Python 3, to say that it is too old, and needs nothing but the standard library.
"""

import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

OLDEST, NEWEST = (3, 11), (3, 14)
DISK = 10 * 2**30
"""Bytes: the packages have 7 GB, and pip needs room to unpack the largest."""
VENV = Path(".venv")
UNREACHED = ("NewConnectionError", "NameResolutionError", "ConnectTimeout", "Network is unreachable", "ProxyError")
"""What pip says of a host that it cannot reach."""


def main() -> int:
    """0, or 2 after a sentence that says what to do."""
    problem = why_not()
    if problem:
        return refuse(problem)
    print("Installing about 7 GB into .venv, which takes some minutes", flush=True)
    python = str(VENV / "bin" / "python")
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True)
    if made.returncode:
        return refuse(f"Cannot make {VENV}: {last_line(made.stderr + made.stdout)}")
    for words in (["--require-hashes", "-r", "requirements.lock"], ["--no-build-isolation", "-e", "."]):
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", *words]
        done = subprocess.run(pip, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            return refuse(why_failed(done.stderr))
    return 0


def why_not() -> str:
    """Why it need not be tried; empty if it can be."""
    here = sys.version_info[:2]
    if not OLDEST <= here <= NEWEST:
        found = ".".join(map(str, here))
        return f"Python 3.11 to 3.14 is needed, and {sys.executable} is {found}: make install PYTHON=python3.12"
    if not can_make_environments():
        return f"{sys.executable} cannot make environments: install python3-venv (Debian, Ubuntu), or another Python."
    free = shutil.disk_usage(".").free
    if free < DISK and not VENV.exists():
        return f"The disk has {free / 1e9:.1f} GB free, and {DISK / 1e9:.0f} GB are needed for the packages."
    return ""


def can_make_environments() -> bool:
    """Debian has that in a package of its own."""
    try:
        return bool(import_module("ensurepip"))
    except ImportError:
        return False


def why_failed(text: str) -> str:
    """What to do after pip has failed."""
    if "No space left" in text or "disk quota" in text.lower():
        return "The disk is full: make room, then make install again; it goes on where it stopped."
    if "hash" in text.lower() and "mismatch" in text.lower():
        return f"A package is not the one of requirements.lock, so nothing of it was installed: {last_line(text)}"
    if any(word in text for word in UNREACHED):
        return "The packages cannot be reached: connect to the network, or set PIP_INDEX_URL to a mirror of PyPI."
    if "No matching distribution" in text:
        return f"Is there a network, and has its index all packages? {last_line(text)}"
    return f"pip could not install the packages: {last_line(text)}"


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("WARNING")]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["it said nothing"])[-1]


def refuse(problem: str) -> int:
    print(f"error: {problem}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
