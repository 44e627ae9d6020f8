"""Counts the statistics of batch norm anew before a network is scored (``training.precise_batch_norm``)."""

from collections import deque
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]

from src.config.schema import Data
from src.models.micro_batch import MicroBatch, micro_batches
from src.scoring.inference import to_network

BATCHES, IMAGES = 4, 32


class RecentBatches:
    """The last whole batches of an epoch, uint8 (N, H, W, 3): four, or as many as hold 32 images."""

    def __init__(self, batch_size: int) -> None:
        self._kept = deque[Tensor](maxlen=max(BATCHES, -(-IMAGES // batch_size)))

    def add(self, images: Tensor) -> None:
        if not self._kept or len(images) >= len(self._kept[0]):  # a small last batch would count as much as a whole one
            self._kept.append(images)

    def take(self) -> list[Tensor]:
        """Hand the batches over; none are kept."""
        batches = list(self._kept)
        self._kept.clear()
        return batches


def recount_batch_norm(
    network: nn.Module, batches: Sequence[Tensor], data: Data, dtype: torch.dtype | None, micro_batch: MicroBatch
) -> None:
    """Replace the running statistics of batch norm by the mean of those of ``batches``, with the weights as they are.

    Running statistics are averages over the last ten steps or so. In the first epochs of a small data set the weights
    change so much meanwhile that a validation with them is noise. This is PreciseBN (Wu and Johnson 2021, arXiv
    2105.07576, section 3). All other layers are as in a validation, so no random number is drawn.
    """
    norms = [item for item in network.modules() if isinstance(item, _BatchNorm) and item.running_mean is not None]

    def recount(size: int) -> None:
        parts = [part for batch in batches for part, _ in micro_batches(batch, batch, size, micro_batch.smallest)]
        for number, images in enumerate(parts, start=1):
            for norm in norms:
                norm.momentum = 1 / number  # the mean of all so far; the first replaces what was there
            inputs, _ = to_network(images, images[..., 0], data, network)
            with torch.no_grad(), torch.autocast(inputs.device.type, dtype, enabled=dtype is not None):
                network.forward(inputs)  # not as it was compiled: that would be compiled once more

    if norms and batches:
        with _counting(network, norms):
            MicroBatch(micro_batch.size, micro_batch.smallest).run(recount)


@contextmanager
def _counting(network: nn.Module, norms: Sequence[_BatchNorm]) -> Generator[None]:
    """Only batch norm is in training mode within the block; afterwards nothing is, and it has its momentum again."""
    momenta = [norm.momentum for norm in norms]
    network.eval()
    for norm in norms:
        norm.train()
    try:
        yield
    finally:
        network.eval()
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
