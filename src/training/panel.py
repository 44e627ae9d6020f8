"""A panel of a few validation images with the predictions of an epoch; always the same images."""

import numpy as np
from torch import Tensor

from src.data.files import UInt8Array
from src.data.loader import Source
from src.scoring.pictures import panel

IMAGES = 4


class PredictionPanel:
    """Up to four images or tiles of a split, from least crack to most, without those that have no crack."""

    def __init__(self, source: Source) -> None:
        crack = np.array([source.sample(index)[1].sum() for index in range(len(source))])
        order = np.argsort(crack, kind="stable")
        order = order[crack[order] > 0]
        places = np.linspace(0, len(order) - 1, min(IMAGES, len(order))).round().astype(int)
        self.source = source
        self.chosen = [int(index) for index in order[places]]

    def draw(self, probs: Tensor, threshold: float) -> UInt8Array:
        """RGB picture: photograph, mask and overlay of each image.

        ``probs`` (K, H, W): the probabilities of the images in the order of their indices.
        """
        found = dict(zip(sorted(self.chosen), (probs >= threshold).numpy().astype(np.uint8), strict=True))
        rows = [(*(np.array(kept) for kept in self.source.sample(index)), found[index]) for index in self.chosen]
        return panel([(image, predicted, actual) for image, actual, predicted in rows])
