"""Networks whose answers are known, for tests of what is done with the answers."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from src.config.compose import load_config
from src.models.micro_batch import MicroBatch
from src.scoring.inference import Network


class Redness(nn.Module):
    """Calls a pixel crack the surer, the redder it is; optionally only in the image's left half."""

    def __init__(self, left_half: bool = False) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(4.0))
        self.left_half = left_half

    def forward(self, images: Tensor) -> Tensor:
        logits = self.gain * images[:, :1]
        if self.left_half:
            logits[..., images.shape[-1] // 2 :] = -20
        return logits


def network_of(model: nn.Module, overrides: Sequence[str], threshold: float = 0.5) -> Network:
    """A loaded network of this model, as if a checkpoint had brought it."""
    config = load_config(overrides)
    device = torch.device("cpu")
    return Network(
        Path("no.pth"),
        config,
        model.eval(),
        device,
        None,
        1,
        threshold,
        (1.0, 1.0),
        MicroBatch(config.data.batch_size, 1),
    )
