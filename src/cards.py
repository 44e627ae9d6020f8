"""Finds the graphics cards that torch can use on this machine: ``python -m src.cards``.

Planning and training use the same two functions, ``count_cards`` and ``refuse_old_card``. A card that the driver shows
but torch cannot use is a ``UserError``: silently training on the CPU instead would take days.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from src.errors import UserError, run_command

MIB = 2**20
SPARE_MIB = 256
"""Memory of a card that trials leave free for a desktop and other programs."""
CONTEXT_MIB = 450
"""Memory that a process needs beside torch's tensors, if it cannot be measured: an estimate."""
OLDEST_DRIVER = {"12": "525", "13": "580"}
"""Oldest Linux driver for each major version of CUDA (NVIDIA's CUDA compatibility tables)."""
DEVICES = Path("/dev")
DRIVERS = ("nvidia*", "nvhost*", "dxg", "kfd")
"""Files in ``DEVICES`` of a driver that torch may use: NVIDIA's, that of a Jetson, of WSL, and AMD's."""
LOOK_SECONDS = 120


@dataclass(frozen=True)
class Card:
    """A graphics card and its free memory."""

    name: str
    memory_mib: int
    free_mib: int
    """Free memory for the tensors of one process whose context exists already."""
    context_mib: int = CONTEXT_MIB
    """Memory of each further process beside its tensors: CUDA's context, cuDNN's and cuBLAS's handles."""

    def __str__(self) -> str:
        return f"{self.name}, {self.memory_mib / 1024:.1f} GiB"

    def share(self, processes: int) -> int:
        """MiB for the tensors of each process if this many share the card."""
        return max(0, (self.free_mib - (processes - 1) * self.context_mib - SPARE_MIB) // processes)


def absent_card(gib: float) -> Card:
    """A hypothetical card to plan for."""
    memory = round(gib * 1024)
    return Card("a graphics card that is not here", memory, memory - CONTEXT_MIB)


def count_cards(device: str = "auto") -> int:
    """The number of graphics cards that torch can use; 0 for ``cpu``. ``cuda`` without a card is a ``UserError``.

    So is a card that the driver shows but torch cannot use.
    """
    if device == "cpu":
        return 0
    found = 0 if no_driver() else _count_by_torch()
    if device == "cuda" and not found:
        raise UserError("device=cuda: torch finds no CUDA device here. Legal: auto, cpu.")
    return found


def no_driver() -> bool:
    """Whether there is surely no card, which is known without torch: to import it takes seconds."""
    return "torch" not in sys.modules and not any(next(DEVICES.glob(name), None) for name in DRIVERS)


def _count_by_torch() -> int:
    import torch

    if torch.cuda.is_available():
        return torch.cuda.device_count()
    shown = torch.cuda.device_count()  # uses the driver's library, which works even if the driver is too old for torch
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    if shown or (not hidden and any(DEVICES.glob("nvidia[0-9]*"))):
        raise UserError(
            f"There is a graphics card that torch {torch.__version__} cannot use: {'; '.join(_shown_by_driver())}. "
            f"{_reason()} Until that is fixed, use device=cpu."
        )
    return 0


def refuse_old_card(index: int = 0) -> None:
    """A ``UserError`` if this torch has no kernels for the card."""
    import torch

    kernels = torch.cuda.get_arch_list()
    capability = torch.cuda.get_device_capability(index)
    if not kernels or any(_runs(kernel, capability) for kernel in kernels):
        return
    legal = ", ".join(kernel.removeprefix("sm_").removeprefix("compute_") for kernel in kernels)
    raise UserError(
        f"{torch.cuda.get_device_name(index)} has compute capability {capability[0]}.{capability[1]}, and torch "
        f"{torch.__version__} has no kernels for it, only for {legal}. Use device=cpu, or exclude the card: "
        "list the others in CUDA_VISIBLE_DEVICES."
    )


def find_cards(device: str = "auto") -> list[Card]:
    """The cards that ``count_cards`` counts, with their free memory.

    This takes seconds, because a separate process inspects them, so that this process gets no CUDA context.
    """
    if not count_cards(device):
        return []
    words = [sys.executable, "-m", "src.cards", "--json"]
    root = Path(__file__).parents[1]
    try:
        done = subprocess.run(words, cwd=root, capture_output=True, text=True, timeout=LOOK_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise UserError(f"The graphics card does not respond within {LOOK_SECONDS} seconds; try nvidia-smi.") from None
    if done.returncode:
        detail = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise UserError(detail[0].removeprefix("error: "))
    return [Card(**found) for found in json.loads(done.stdout)]


def look(index: int) -> Card:
    """Inspect one card. This creates a CUDA context in the process."""
    import torch

    refuse_old_card(index)
    about = torch.cuda.get_device_properties(index)
    before = _free_by_driver().get(str(getattr(about, "uuid", "")))
    torch.cuda.set_device(index)
    images = torch.rand(1, 3, 32, 32, device="cuda")
    torch.mm(torch.nn.functional.conv2d(images, images).flatten(1), torch.rand(1, 1, device="cuda"))  # both handles
    torch.cuda.synchronize()
    tensors = torch.cuda.memory_reserved(index) // MIB
    free, total = (size // MIB for size in torch.cuda.mem_get_info(index))
    context = before - free - tensors if before is not None else CONTEXT_MIB
    return Card(about.name, total, free + tensors, context if context > 0 else CONTEXT_MIB)


def _runs(kernel: str, capability: tuple[int, int]) -> bool:
    """Whether ``sm_86`` (machine code of one generation) or ``compute_90`` (compiled on the card) runs on a card."""
    found = re.fullmatch(r"(sm|compute)_(\d+)(\d)([af]?)", kernel)
    if not found:
        return False
    made_for = int(found[2]), int(found[3])
    if found[4]:
        return made_for == capability
    return made_for <= capability and (found[1] == "compute" or made_for[0] == capability[0])


def _reason() -> str:
    """Why torch cannot use a card: the driver is too old, or the error of torch."""
    import torch

    version, driver = torch.version.cuda, driver_version() or ""
    if version is None:
        return "This torch was built without CUDA: install one that was built with it."
    oldest = OLDEST_DRIVER.get(version.partition(".")[0])
    if oldest and int(driver.partition(".")[0] or 0) < int(oldest):
        return f"Its CUDA {version} needs NVIDIA's driver {oldest} or newer."
    try:
        torch.cuda.init()
    except Exception as error:  # whatever prevents the start
        return f"torch reports: {str(error).strip().partition(chr(10))[0]}"
    return "nvidia-smi may show the reason."


def _shown_by_driver() -> list[str]:
    """Each card as text, from ``nvidia-smi``."""
    rows = _ask_driver("name,driver_version,compute_cap") or _ask_driver("name,driver_version")  # older ones
    return [
        f"{name}, driver {driver}, compute capability {''.join(capability) or 'unknown'}"
        for name, driver, *capability in rows
    ] or ["nvidia-smi does not list it"]


@cache
def driver_version() -> str | None:
    """The version of NVIDIA's driver; None if ``nvidia-smi`` does not report it."""
    return next((version for (version,) in _ask_driver("driver_version")), None)


def _free_by_driver() -> dict[str, int]:
    """Free MiB of each card, by its UUID."""
    rows = _ask_driver("uuid,memory.free")
    return {identity.removeprefix("GPU-"): int(free) for identity, free in rows if free.isdigit()}


def _ask_driver(fields: str) -> list[list[str]]:
    """One row per card with these fields; empty if ``nvidia-smi`` is missing or fails."""
    words = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [[field.strip() for field in line.split(",")] for line in done.stdout.splitlines()]
    return [row for row in rows if len(row) == fields.count(",") + 1]


def main(argv: Sequence[str]) -> None:
    try:
        cards = [look(index) for index in range(count_cards())]
    except RuntimeError as error:  # the further lines of CUDA's errors are general advice
        raise UserError(f"The graphics card cannot be used: {str(error).strip().partition(chr(10))[0]}") from error
    if "--json" in argv:
        print(json.dumps([asdict(card) for card in cards]))
        return
    for index, card in enumerate(cards):
        print(f"{index}: {card}, {card.free_mib} MiB free for one training, {card.context_mib} MiB of context each")
    if not cards:
        print("No graphics card: everything runs on the CPU.")


if __name__ == "__main__":
    sys.exit(run_command(main))
