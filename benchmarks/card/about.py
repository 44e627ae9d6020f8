"""The card, its driver and the libraries, as a section of its own: no context stays in the card check's process."""

import subprocess
import sys

import torch

from benchmarks.card.place import Place


def about(place: Place) -> None:
    there = torch.cuda.is_available()
    place.note("card", torch.cuda.get_device_properties(0).name if there else None)
    place.note("driver", driver() if there else None)
    place.note("torch", torch.__version__)
    place.note("cuda", torch.version.cuda)
    place.note("cudnn", torch.backends.cudnn.version() if there else None)
    place.note("python", sys.version.partition(" ")[0])


def driver() -> str | None:
    """The driver's version, if nvidia-smi says it."""
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True, timeout=20).stdout.split()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        return None
