"""Finds files of weights: on this machine, or on the Hugging Face hub. This needs no torch."""

import os
import re
import socket
from pathlib import Path
from urllib.request import getproxies

from src.errors import UserError
from src.folders import in_full

INIT_FROM = "model.init_from"
"""The key of the weights that a training starts from (``src.models.start``)."""
HUB = ("huggingface.co", 443)
NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
"""OWNER/NAME."""
FILES = ("model.safetensors", "pytorch_model.bin")
"""What a folder or a place on the hub holds its weights in: the first of these that is there."""
SUFFIXES = (".pth", ".pt", ".ckpt", ".bin", ".safetensors")
"""Of files; no name on the hub ends in one."""


def set_offline_mode() -> None:
    """Set the hub's offline mode if it cannot be reached; otherwise missing weights would cost 24 s of retries."""
    if "HF_HUB_OFFLINE" in os.environ or "HF_ENDPOINT" in os.environ or "https" in getproxies():
        return  # the user has configured how the hub is reached
    try:
        socket.create_connection(HUB, timeout=3).close()
        offline = "0"
    except OSError:
        offline = "1"
    os.environ["HF_HUB_OFFLINE"] = offline  # for processes started later
    import huggingface_hub.constants

    huggingface_hub.constants.HF_HUB_OFFLINE = offline == "1"  # it has already read the environment


def find_weights(name: str) -> Path:
    """The file that ``model.init_from`` means; downloaded if it is a name on the hub. Without one, a ``UserError``."""
    path = Path(name)
    if path.is_dir():
        found = next((path / file for file in FILES if (path / file).is_file()), None)
        if found is None:
            raise UserError(f"{INIT_FROM}={name}: the folder has no {' and no '.join(FILES)}.")
        return found
    if path.is_file():
        return path
    if path.suffix in SUFFIXES or not NAME.fullmatch(name):
        raise UserError(f"{INIT_FROM}={name}: no such file or folder: {in_full(path)}.")
    return from_hub(name)


def from_hub(name: str) -> Path:
    """The file of weights of OWNER/NAME, in the hub's cache on this machine."""
    import huggingface_hub
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    set_offline_mode()
    why = f"on the hub it has no {' and no '.join(FILES)}"
    for file in FILES:
        try:
            return Path(huggingface_hub.hf_hub_download(name, file))
        except LocalEntryNotFoundError:
            why = "there is no such file or folder, it is not in the hub's cache, and the hub cannot be reached"
        except EntryNotFoundError:
            continue
        except (OSError, ValueError) as error:  # there is no such place, or it is not public
            why = f"there is no such file or folder, and not on the hub: {' '.join(str(error).split())[:200]}"
    raise UserError(f"{INIT_FROM}={name}: {why}.")


def local_weights(name: str) -> Path | None:
    """The file on this machine that ``model.init_from`` means; None if it is a name on the hub, or wrong."""
    try:
        return find_weights(name) if Path(name).exists() else None
    except UserError:
        return None
