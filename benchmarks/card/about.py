"""The card, its driver and the libraries, as a section of its own: no context stays in the card check's process."""

import sys

import torch

from benchmarks.card.place import Place
from src.cards import count_cards, driver_version, refuse_old_card


def about(place: Place) -> None:
    """A card that torch cannot use is a ``UserError``."""
    there = count_cards() > 0
    if there:
        refuse_old_card()
    place.note("card", torch.cuda.get_device_properties(0).name if there else None)
    place.note("driver", driver_version() if there else None)
    place.note("torch", torch.__version__)
    place.note("cuda", torch.version.cuda)
    place.note("cudnn", torch.backends.cudnn.version() if there else None)
    place.note("python", sys.version.partition(" ")[0])
