"""Builds losses from terms: ``{dice: {weight: 0.5}, bce: {weight: 0.5}}`` is a weighted sum.

Shapes: ``logits`` (N, 1, H, W) float32, any real; ``masks`` (N, 1, H, W) float32 in {0, 1}.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from segmentation_models_pytorch.losses import SoftBCEWithLogitsLoss
from torch import Tensor, nn
from torch.nn import functional

from src.errors import UserError, unknown

EPSILON = 1e-7
MOST_ITERATIONS = 4096
"""Erosions that leave nothing even of the largest image."""
Score = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""A function of each image's soft counts (N): true positives, false positives, false and true negatives."""


class Overlap(nn.Module):
    """One minus a score of each image, then the mean. So splitting a batch into parts does not change it.

    All images are computed at once: a loop would launch some 50 kernels per image on a graphics card. An image without
    crack has loss 0 and no gradient, because overlap is undefined there; combine it with a pixel loss.
    """

    def __init__(self, score: Score, exponent: float = 1.0) -> None:
        super().__init__()
        self.score, self.exponent = score, exponent

    def forward(self, logits: Tensor, masks: Tensor) -> Tensor:
        probs, masks = logits.sigmoid().flatten(1), masks.flatten(1)
        tp, found, cracks = (probs * masks).sum(1), probs.sum(1), masks.sum(1)
        fp, fn = found - tp, cracks - tp
        each = 1 - self.score(tp, fp, fn, masks.shape[1] - tp - fp - fn)
        if self.exponent != 1:
            each = each.clamp_min(EPSILON) ** self.exponent  # an exponent below 1 has an infinite slope at 0
        return (each * (cracks > 0)).mean()


class CentreLineDice(nn.Module):
    """Soft clDice (Shit et al. 2021, arXiv 2003.07311, algorithms 1 and 2): the Dice of centre lines and areas.

    ``iterations``: erosions, half the width in pixels of the thickest crack whose centre line must be found. Without
    ``smooth``, an empty line counts as lying in the area.
    """

    def __init__(self, iterations: int, smooth: float) -> None:
        super().__init__()
        self.iterations, self.smooth = iterations, max(smooth, EPSILON)  # 0 / 0 is undefined

    def forward(self, logits: Tensor, masks: Tensor) -> Tensor:
        probs = logits.sigmoid()
        precision = self._share(soft_skeleton(probs, self.iterations), masks)
        recall = self._share(soft_skeleton(masks, self.iterations), probs)
        return (1 - 2 * precision * recall / (precision + recall)).mean()

    def _share(self, line: Tensor, area: Tensor) -> Tensor:
        """The share of each image's line that is inside the area, (N)."""
        inside, whole = (line * area).flatten(1).sum(1), line.flatten(1).sum(1)
        return (inside + self.smooth) / (whole + self.smooth)


class LovaszHinge(nn.Module):
    """Lovasz hinge (Berman et al. 2018, arXiv 1705.08790, algorithm 1) of each image, then the mean.

    A surrogate of IoU. The same values as smp's, but all images are sorted at once.
    """

    def forward(self, logits: Tensor, masks: Tensor) -> Tensor:
        logits, masks = logits.flatten(1), masks.flatten(1)
        errors, order = (1 - logits * (2 * masks - 1)).sort(dim=1, descending=True)
        cracks, all_cracks = masks.gather(1, order), masks.sum(1, keepdim=True)
        hit, false = all_cracks - cracks.cumsum(1), (1 - cracks).cumsum(1)  # if all pixels up to here are wrong
        lost = 1 - hit / (all_cracks + false)
        costs = lost.diff(dim=1, prepend=torch.zeros_like(all_cracks))
        return (errors.relu() * costs).sum(1).mean()


class Focal(nn.Module):
    """Focal loss (Lin et al. 2017, arXiv 1708.02002, eq. 5), mean over all pixels."""

    def __init__(self, alpha: float, gamma: float) -> None:
        super().__init__()
        self.alpha, self.gamma = alpha, gamma

    def forward(self, logits: Tensor, masks: Tensor) -> Tensor:
        right = logits * (2 * masks - 1)  # the logit of a pixel's true class
        # (1 - pt) ** gamma through its logarithm: a power below 1 has an infinite slope at a certain pixel
        focus = torch.exp(-self.gamma * functional.softplus(right))
        weights = 1 - self.alpha + (2 * self.alpha - 1) * masks
        return (focus * weights * functional.softplus(-right)).mean()


def soft_skeleton(areas: Tensor, iterations: int) -> Tensor:
    """Centre lines of soft areas (N, 1, H, W) in [0, 1]: what an opening removes after each erosion."""

    def erode(values: Tensor) -> Tensor:
        upright = -functional.max_pool2d(-values, (3, 1), 1, (1, 0))
        return torch.minimum(upright, -functional.max_pool2d(-values, (1, 3), 1, (0, 1)))

    def ridge(values: Tensor) -> Tensor:
        return functional.relu(values - functional.max_pool2d(erode(values), 3, 1, 1))

    skeleton = ridge(areas)
    for _ in range(iterations):
        areas = erode(areas)
        line = ridge(areas)
        skeleton = skeleton + functional.relu(line - skeleton * line)
    return skeleton


def bce(pos_weight: float) -> nn.Module:
    """Binary cross-entropy, mean over all pixels; a crack pixel counts ``pos_weight`` times."""
    return SoftBCEWithLogitsLoss(pos_weight=torch.tensor(pos_weight))


def dice(smooth: float) -> nn.Module:
    """1 - Dice of probabilities, per image; ``smooth`` is added to intersection and to half the sum of the sizes."""
    return tversky(0.5, 0.5, 1.0, smooth)


def jaccard(smooth: float) -> nn.Module:
    """1 - IoU of probabilities, per image; ``smooth`` pixels are added to intersection and union."""
    return tversky(1.0, 1.0, 1.0, smooth)


def tversky(alpha: float, beta: float, gamma: float, smooth: float) -> nn.Module:
    """Tversky loss per image: ``alpha`` weighs false positives, ``beta`` missed cracks.

    Both 0.5 make it Dice, both 1 IoU. ``gamma`` is the exponent of focal Tversky (Abraham and Khan 2019, arXiv
    1810.07842, eq. 4, where it is 1/gamma).
    """

    def score(tp: Tensor, fp: Tensor, fn: Tensor, _: Tensor) -> Tensor:
        return (tp + smooth) / (tp + alpha * fp + beta * fn + smooth).clamp_min(EPSILON)

    return Overlap(score, exponent=gamma)


def mcc() -> nn.Module:
    """1 - Matthews correlation coefficient of probabilities, per image."""

    def score(tp: Tensor, fp: Tensor, fn: Tensor, tn: Tensor) -> Tensor:
        # rounding can make a count of a large image negative, and then the root is not defined
        tp, fp, fn, tn = (count.clamp_min(0) + 1e-5 for count in (tp, fp, fn, tn))
        return (tp * tn - fp * fn) / ((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)).sqrt()

    return Overlap(score)


def cldice(iterations: float, smooth: float) -> nn.Module:
    """Soft clDice per image, for connected cracks. It does not see the width of a crack; combine it with others."""
    if iterations % 1 or iterations > MOST_ITERATIONS:
        raise UserError(
            f"training.loss.cldice.iterations={iterations}: must be a whole number from 0 to {MOST_ITERATIONS}, half "
            "the width of the thickest crack in pixels."
        )
    return CentreLineDice(int(iterations), smooth)


def focal(alpha: float, gamma: float) -> nn.Module:
    """Focal loss; ``alpha`` in [0, 1] is the weight of crack; a higher ``gamma`` reduces the weight of easy pixels."""
    if not 0 <= alpha <= 1:
        raise UserError(f"training.loss.focal.alpha={alpha}: must be in [0, 1]; it is the weight of the crack class.")
    return Focal(alpha, gamma)


class Term(NamedTuple):
    """A term of a loss: how to build it, and its traits."""

    build: Callable[..., nn.Module]
    """Takes the term's parameters of ``training.loss``."""
    memory_parameter: str = ""
    """The parameter that decides how many tensors the term makes; empty if none does."""


LOSSES = {
    "bce": Term(bce),
    "cldice": Term(cldice, memory_parameter="iterations"),
    "dice": Term(dice),
    "focal": Term(focal),
    "jaccard": Term(jaccard),
    "lovasz": Term(LovaszHinge),
    "mcc": Term(mcc),
    "tversky": Term(tversky),
}


def find_term(name: str) -> Term:
    """The entry of ``LOSSES``; an unknown name is a ``UserError``."""
    if name not in LOSSES:
        raise unknown("term in training.loss", name, LOSSES)
    return LOSSES[name]


class WeightedSum(nn.Module):
    """The weighted sum of its terms."""

    def __init__(self, terms: Mapping[str, nn.Module], weights: Mapping[str, float]) -> None:
        super().__init__()
        self.terms = nn.ModuleDict(terms)
        self.weights = dict(weights)

    def forward(self, logits: Tensor, masks: Tensor) -> Tensor:
        """Scalar loss, computed in float32 for any precision of the network."""
        logits, masks = logits.float(), masks.float()
        parts = [self.weights[name] * term(logits, masks) for name, term in self.terms.items()]
        return torch.stack(parts).sum()


def build_loss(terms: Mapping[str, Mapping[str, float]]) -> WeightedSum:
    """The loss of a configuration's ``training.loss``. Unknown terms and parameters are a ``UserError``."""
    modules: dict[str, nn.Module] = {}
    for name, parameters in terms.items():
        term = find_term(name)
        if "weight" not in parameters:
            raise UserError(f"training.loss.{name} has no weight; every term needs one.")
        try:
            modules[name] = term.build(**{key: value for key, value in parameters.items() if key != "weight"})
        except TypeError as error:
            raise UserError(f"training.loss.{name}: {error}.") from error
    if not any(parameters["weight"] for parameters in terms.values()):
        raise UserError(f"training.loss: the weights of {', '.join(terms)} are all 0; at least one must be above 0.")
    return WeightedSum(modules, {name: parameters["weight"] for name, parameters in terms.items()})
