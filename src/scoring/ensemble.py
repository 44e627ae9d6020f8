"""Several trained networks as one, by the mean of their probabilities (Lakshminarayanan et al. 2017, section 2.4)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from src.errors import UserError
from src.scoring.inference import Network, load_network


class Mean(nn.Module):
    """The logits of the mean of the networks' probabilities, so that it is used like one network."""

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, images: Tensor) -> Tensor:
        total: Tensor | None = None  # one network's output at a time is kept
        for network in self.networks:
            probs = cast(Tensor, network(images)).float().sigmoid()
            total = probs if total is None else total + probs
        assert total is not None
        return torch.logit(total / len(self.networks))


def load_networks(checkpoints: Sequence[Path], overrides: Iterable[str] = ()) -> Network:
    """The network of one checkpoint, or the mean of several.

    A checkpoint that is given twice, and networks that expect photographs in different form or were trained on
    different data, are a ``UserError``.
    """
    if len(checkpoints) == 1:
        return load_network(checkpoints[0], overrides)
    members = [load_network(checkpoint, overrides) for checkpoint in checkpoints]
    for number, member in enumerate(members):
        for other in members[:number]:
            if other.checkpoint.samefile(member.checkpoint):
                raise UserError(f"{member.checkpoint} is given twice: it would count twice in the mean.")
        refuse_other_form(members[0], member)
    return replace(
        members[0],
        model=Mean(member.model for member in members).eval(),
        threshold=None,
        cleaning=None,
        members=tuple(members),
    )


def refuse_other_form(first: Network, other: Network) -> None:
    """A ``UserError`` if two networks do not take the same photographs in the same form."""
    forms = [form_of(network) for network in (first, other)]
    for key, value in forms[0].items():
        if forms[1][key] != value:
            hint = f" Or choose the data of all with {key}=." if key == "data.root" else ""
            raise UserError(
                f"{other.checkpoint} and {first.checkpoint} cannot be averaged: their {key} is {forms[1][key]} and "
                f"{value}; it must be the same.{hint}"
            )


def form_of(network: Network) -> dict[str, Any]:
    """What must be the same in networks whose probabilities are averaged."""
    data = network.config.data
    return {
        "data.root": str(data.root.resolve()),
        "data.image_size": list(data.image_size),
        "data.crop": data.crop.name,
        "data.bits": data.bits,
        "data.mean": list(data.mean),
        "data.std": list(data.std),
        "scale of the training images": [round(factor, 6) for factor in network.scale],
    }
