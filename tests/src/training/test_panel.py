"""The panel of validation predictions."""

import numpy as np
import torch

from src.config.compose import load_config
from src.data.cache import open_split
from src.scoring.pictures import GAP
from src.training.panel import IMAGES, PredictionPanel


def panel_of(tiny: list[str], split: str) -> PredictionPanel:
    return PredictionPanel(open_split(load_config(tiny).data, split))


def shares_of(shown: PredictionPanel) -> list[float]:
    """Of crack in all images it could show."""
    return [float(shown.source.sample(index)[1].mean()) for index in range(len(shown.source))]


def test_it_shows_four_images_with_crack_from_least_to_most(tiny: list[str]):
    shown = panel_of(tiny, "train")
    everything = shares_of(shown)
    shares = [everything[index] for index in shown.chosen]
    assert len(shares) == len(set(shown.chosen)) == IMAGES
    assert shares == sorted(shares)
    assert shares[0] == min(share for share in everything if share) > 0
    assert shares[-1] == max(everything)


def test_it_shows_all_of_a_small_split(tiny: list[str]):
    shown = panel_of(tiny, "val")
    assert len(shown.chosen) == sum(share > 0 for share in shares_of(shown)) <= 3


def test_it_calls_crack_what_reaches_the_threshold(tiny: list[str]):
    shown = panel_of(tiny, "val")

    same_everywhere = torch.full((len(shown.chosen), 32, 32), 0.5)
    none, all_of_it = shown.draw(same_everywhere, 0.6), shown.draw(same_everywhere, 0.5)
    step = 32 + GAP
    assert none.shape == all_of_it.shape == (step * len(shown.chosen) + GAP, 3 * step + GAP, 3)
    np.testing.assert_array_equal(none[:, : 2 * step], all_of_it[:, : 2 * step])  # photograph and mask
    overlays = slice(GAP, GAP + 32), slice(GAP + 2 * step, GAP + 2 * step + 32)
    assert (none[overlays] != all_of_it[overlays]).any(axis=2).all()
