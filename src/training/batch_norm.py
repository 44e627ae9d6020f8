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


class PreciseBatchNorm:
    """Replaces running statistics of batch norm by the mean of those of an epoch's last whole batches.

    It takes four batches of ``data.batch_size``, or as many as hold 32 images. Running statistics are averages over
    the last ten steps or so. In the first epochs of a small data set the weights change so much meanwhile that a
    validation with them is noise. This is PreciseBN (Wu and Johnson 2021, arXiv 2105.07576, section 3).
    """

    def __init__(self, data: Data, smallest: int) -> None:
        """``smallest``: images that the network needs at once to learn from them."""
        self.data, self.smallest = data, smallest
        self.micro_batch = MicroBatch(data.batch_size, smallest)
        self._whole = 0
        self._kept = deque[Tensor](maxlen=max(BATCHES, -(-IMAGES // data.batch_size)))

    def add(self, images: Tensor) -> None:
        """Take note of a step's images, uint8 (N, H, W, 3)."""
        if self._kept and len(images) < self._whole:
            return  # an epoch's last step may be smaller, and would count as much as a whole one
        self._whole = len(images)
        first, *others = images.split(self.data.batch_size)
        for batch in (first, *(other for other in others if len(other) == len(first))):
            # shared memory is scarce, and the processes that load images need it
            self._kept.append(batch.clone() if batch.is_shared() else batch)

    def recount(self, network: nn.Module, dtype: torch.dtype | None, size: int) -> None:
        """Count anew with the weights as they are now, ``size`` images at once as in training, and forget the images.

        All other layers are as in a validation, so no random number is drawn.
        """
        norms = [item for item in network.modules() if isinstance(item, _BatchNorm) and item.running_mean is not None]
        batches = list(self._kept)
        self._kept.clear()
        self.micro_batch.size = min(self.micro_batch.size, size)

        def count(size: int) -> None:
            parts = [part for batch in batches for part, _ in micro_batches(batch, batch, size, self.smallest)]
            for norm in norms:
                norm.reset_running_stats()  # an overflow may have left infinite ones
            for number, images in enumerate(parts, start=1):
                for norm in norms:
                    norm.momentum = 1 / number  # the mean of all so far
                inputs, _ = to_network(images, images[..., 0], self.data, network)
                with torch.no_grad(), torch.autocast(inputs.device.type, dtype, enabled=dtype is not None):
                    network.forward(inputs)  # not as it was compiled: that would be compiled once more

        if norms and batches:
            with _counting(network, norms):
                self.micro_batch.run(count)


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
