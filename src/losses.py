"""Losses as mappings of terms: ``{dice: {weight: 0.5}, bce: {weight: 0.5}}`` is a mixture without code.

Shapes: ``logits`` (N, 1, H, W) float32, any real; ``masks`` (N, 1, H, W) float32 in {0, 1}.
"""

from collections.abc import Callable, Mapping

import torch
from segmentation_models_pytorch.losses import DiceLoss, FocalLoss, SoftBCEWithLogitsLoss
from torch import Tensor, nn

from src.errors import UserError, unknown


class PerImageDice(nn.Module):
    """Dice loss of each image, then their mean: splitting a batch into micro-batches does not change it.

    An image without crack has loss 0 and no gradient (as in segmentation-models-pytorch): pair dice with a pixel loss.
    """

    def __init__(self, smooth: float) -> None:
        super().__init__()
        # images take the place of classes: "multilabel" averages one Dice loss per class
        self.dice = DiceLoss("multilabel", smooth=smooth)

    def forward(self, logits: Tensor, masks: Tensor) -> Tensor:
        return self.dice(logits.transpose(0, 1), masks.transpose(0, 1))


def bce(pos_weight: float) -> nn.Module:
    """Binary cross-entropy, mean over all pixels; a crack pixel counts ``pos_weight`` times."""
    return SoftBCEWithLogitsLoss(pos_weight=torch.tensor(pos_weight))


def dice(smooth: float) -> nn.Module:
    """``smooth`` pixels are added to the intersection, and to the denominator, where it is halved beside the sizes."""
    return PerImageDice(smooth)


def focal(alpha: float, gamma: float) -> nn.Module:
    """Focal loss (Lin et al. 2017, eq. 5), mean over all pixels; ``alpha`` in [0, 1] is the crack class's weight."""
    if not 0 <= alpha <= 1:
        raise UserError(f"training.loss.focal.alpha={alpha}: must be in [0, 1]; it is the weight of the crack class.")
    return FocalLoss("binary", alpha=alpha, gamma=gamma)


LOSSES: dict[str, Callable[..., nn.Module]] = {"bce": bce, "dice": dice, "focal": focal}


class WeightedSum(nn.Module):
    """The weighted sum of its terms."""

    def __init__(self, terms: Mapping[str, nn.Module], weights: Mapping[str, float]) -> None:
        super().__init__()
        self.terms = nn.ModuleDict(terms)
        self.weights = dict(weights)

    def forward(self, logits: Tensor, masks: Tensor) -> Tensor:
        """Scalar loss; computed in float32 whatever the precision of the network."""
        logits, masks = logits.float(), masks.float()
        parts = [self.weights[name] * term(logits, masks) for name, term in self.terms.items()]
        return torch.stack(parts).sum()


def build_loss(terms: Mapping[str, Mapping[str, float]]) -> WeightedSum:
    """The loss of a configuration's ``training.loss``. Unknown terms and parameters are a ``UserError``."""
    modules: dict[str, nn.Module] = {}
    for name, parameters in terms.items():
        if name not in LOSSES:
            raise unknown("term in training.loss", name, LOSSES)
        if "weight" not in parameters:
            raise UserError(f"training.loss.{name} has no weight; every term needs one.")
        try:
            modules[name] = LOSSES[name](**{key: value for key, value in parameters.items() if key != "weight"})
        except TypeError as error:
            raise UserError(f"training.loss.{name}: {error}.") from error
    if not any(parameters["weight"] for parameters in terms.values()):
        raise UserError(f"training.loss: the weights of {', '.join(terms)} are all 0; at least one must be above.")
    return WeightedSum(modules, {name: parameters["weight"] for name, parameters in terms.items()})
