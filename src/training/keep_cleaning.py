"""Chooses how the masks of a trained network are cleaned, and keeps that in its checkpoint."""

from pathlib import Path

from src.models.checkpoint import load_checkpoint, save_checkpoint
from src.scoring.cleaning import Cleaning
from src.scoring.evaluate import find_cleaning
from src.scoring.inference import load_network


def keep_cleaning(checkpoint: Path) -> Cleaning:
    """Choose the cleaning on the validation split and write it into the checkpoint, in one step."""
    network = load_network(checkpoint)
    assert network.threshold is not None  # every training's checkpoint has one
    cleaning = find_cleaning(network, "none", network.threshold)
    save_checkpoint(load_checkpoint(checkpoint) | {"cleaning": cleaning.as_plain()}, checkpoint)
    return cleaning
