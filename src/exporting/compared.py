"""A network and its exported form, asked for the same tiles."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from src.exporting.formats import Exported
from src.scoring.inference import Network, to_network


@dataclass(frozen=True, kw_only=True)
class Compared(Network):
    """Predicts as the network, and keeps how far the exported one is from it."""

    exported: Exported
    differences: list[float] = field(default_factory=list[float])
    """The largest difference of a probability, for each tile."""

    def probs(self, images: Tensor, tta: str = "none") -> Tensor:
        inputs, _ = to_network(images, images[..., 0], self.config.data, self.model)
        with torch.inference_mode():
            ours = self.model(inputs).sigmoid()
            theirs = self.exported.run(inputs.contiguous())
        self.differences.extend((ours - theirs).abs().amax(dim=(1, 2, 3)).tolist())
        return ours
