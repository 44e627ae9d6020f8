"""Scores a network on the validation split."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from src.config.schema import Data
from src.data.loader import EpochLoader
from src.models.micro_batch import MicroBatch, micro_batches
from src.scoring.inference import to_network
from src.scoring.metrics import Int64Array, probability_histogram


class Scored(NamedTuple):
    """What a validation gives."""

    loss: float
    """Mean per image."""
    histogram: Int64Array
    """(N, 2, 256), in the order of the split's images (``src.scoring.metrics``)."""
    shown: Tensor | None
    """Probabilities (K, H, W) of the images ``Validation.shown``, in CPU memory; None without any."""


class Validation:
    """The validation split with the loss by which networks are scored on it."""

    def __init__(self, loader: EpochLoader, data: Data, loss: nn.Module, dtype: torch.dtype | None) -> None:
        self.loader, self.data, self.loss, self.dtype = loader, data, loss, dtype
        self.micro_batch = MicroBatch(data.batch_size, 1)
        self.shown: Sequence[int] = ()
        """Indices, rising, of the images whose probabilities are kept."""

    def score(self, model: nn.Module) -> Scored:
        """Score a network on all images."""
        scored, start = list[tuple[Tensor, Tensor, Tensor]](), 0
        model.eval()
        with torch.inference_mode():
            for images, masks in self.loader.epoch(0):
                shown = [index - start for index in self.shown if start <= index < start + len(images)]
                scored.append(self.micro_batch.run(partial(self._score_batch, model, images, masks, shown)))
                start += len(images)
        totals, histograms, probs = zip(*scored, strict=True)
        mean = float(torch.stack(totals).sum()) / start
        histogram = torch.cat(histograms).cpu().numpy().astype(np.int64)
        return Scored(mean, histogram, torch.cat(probs).cpu() if self.shown else None)

    def _score_batch(
        self, model: nn.Module, images: Tensor, masks: Tensor, shown: Sequence[int], size: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Sum of the losses, histograms (N, 2, 256), and the probabilities (K, H, W) of ``shown``, on the device."""
        device = next(model.parameters()).device
        total, histograms, probs = torch.zeros((), device=device), list[Tensor](), list[Tensor]()
        for part in micro_batches(images, masks, size):
            inputs, targets = to_network(*part, self.data, model)
            with torch.autocast(device.type, self.dtype, enabled=self.dtype is not None):
                logits = model(inputs)
            total += self.loss(logits, targets) * len(inputs)
            found = logits.float().sigmoid()
            histograms.append(probability_histogram(found, targets))
            probs += found  # one (1, H, W) for each image
        chosen = torch.cat([probs[index] for index in shown]) if shown else probs[0][:0]
        return total, torch.cat(histograms), chosen
