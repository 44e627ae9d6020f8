"""What a machine of a cluster has for a sweep. The functions run there, in a process of Ray's."""

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from src.cards import Card, find_cards
from src.config.compose import load_config
from src.config.overrides import Overrides
from src.config.schema import SPLITS, SmpModel, SwinUnetModel
from src.data.cache import open_split
from src.errors import UserError
from src.provenance import digest, provenance
from trainable.guard import MIB, machine_memory

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Question:
    """What a sweep asks a machine."""

    lock: Path
    """The lock file beside the sweep's folder; the sweep's own process holds it."""
    code: tuple[str, ...]
    """Files below the project's folder."""
    fixed: Overrides
    """The overrides of all trials; their paths are absolute."""
    networks: tuple[Overrides, ...]
    """The overrides of a trial for each different network."""


@dataclass(frozen=True)
class NodeReport:
    """A machine's answers. What a machine lacks, and errors, are sentences."""

    free_mib: int
    """Main memory."""
    python: str
    packages: dict[str, str | None]
    code: dict[str, str]
    """Hash of each file; empty for one that is missing."""
    lock_text: str
    """Content of the lock file; empty without one."""
    not_writable: str
    """Why nothing can be written beside the sweep's folder; empty if it can."""
    lock_is_free: bool
    """Whether a process here could take the lock too."""
    data: dict[str, str]
    """Fingerprint of each split, or the error."""
    weights: dict[str, bool]
    """Whether each encoder that may start from pretrained weights does; without it the weights are not here."""


def report_node(question: Question) -> NodeReport:
    """Answer a sweep's question. Decoded images are kept in this machine's ``data.cache_dir`` from now on."""
    about = provenance()
    return NodeReport(
        free_mib=machine_memory()[1] // MIB,
        python=platform.python_version(),
        packages=about["packages"],
        code={name: digest(ROOT / name) if (ROOT / name).is_file() else "" for name in question.code},
        lock_text=question.lock.read_text() if question.lock.is_file() else "",
        not_writable=try_to_write(question.lock.parent),
        lock_is_free=is_free(question.lock),
        data=fingerprints(question.fixed),
        weights=weights_here(question.networks),
    )


def look_for_cards(device: str) -> tuple[Card, ...] | str:
    """The graphics cards that Ray gives to this process, or why they cannot be used."""
    try:
        return tuple(find_cards(device))
    except UserError as error:
        return str(error)


def try_to_write(folder: Path) -> str:
    path = folder / f".written-by-{os.uname().nodename}-{os.getpid()}"
    try:
        path.write_text("")
        path.unlink()
    except OSError as error:
        return f"{folder}: {error.strerror}"
    return ""


def is_free(lock: Path) -> bool:
    """Whether a file that another process has locked can be locked here: its disk keeps locks on one machine only."""
    import fcntl

    try:
        with lock.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except OSError:
        return False


def fingerprints(fixed: Overrides) -> dict[str, str]:
    """Open each split, and decode its images if that was not done on this machine."""
    found: dict[str, str] = {}
    for split in SPLITS:
        try:
            found[split] = open_split(load_config(fixed).data, split).fingerprint
        except UserError as error:
            found[split] = str(error)
    return found


def weights_here(networks: Iterable[Overrides]) -> dict[str, bool]:
    """For each network that may start from pretrained weights, whether it does here. The network may download them."""
    models = {f"{model.architecture} {model.encoder.name}": (model, size) for model, size in map(asked_for, networks)}
    wanted = {name: asked for name, asked in models.items() if asked[0].encoder.pretrained}
    if not wanted:
        return {}
    from src.models.registry import build_model  # imports torch

    found: dict[str, bool] = {}
    for name, (model, size) in wanted.items():
        try:
            _, found[name] = build_model(model, size)
        except UserError:
            found[name] = False
    return found


def asked_for(network: Overrides) -> tuple[SmpModel | SwinUnetModel, tuple[int, int]]:
    config = load_config(network)
    return config.model, config.data.image_size
