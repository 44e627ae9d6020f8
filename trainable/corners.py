"""Corners of a search space, by the network that they build. This needs neither torch nor Ray."""

import json
from collections.abc import Iterable

from src.config.compose import load_config
from src.config.overrides import Overrides
from src.config.schema import Config
from src.errors import UserError


def by_network(corners: Iterable[Overrides]) -> list[list[Overrides]]:
    """Compose every corner; those of the same network, loss and optimizer are one group.

    If a corner cannot be composed, a ``UserError`` names its overrides.
    """
    groups: dict[str, list[Overrides]] = {}
    for corner in corners:
        try:
            config = load_config(corner)
        except UserError as error:
            raise untrainable(corner, error) from error
        groups.setdefault(structure(config), []).append(corner)
    return list(groups.values())


def untrainable(corner: Overrides, error: Exception) -> UserError:
    """The error of a corner that cannot be trained."""
    return UserError(f"The corner {' '.join(corner)} cannot be trained: {error}")


def structure(config: Config) -> str:
    """The settings that decide whether the parts work together and fit on a card, as a text that can be compared."""
    training = config.training
    parts = [config.model.model_dump(mode="json"), config.data.model_dump(mode="json"), list(training.loss)]
    optimizer = training.optimizer
    held = [training.mixed_precision, training.gradient_accumulation_steps, training.ema_decay is not None]
    return json.dumps([*parts, *held, optimizer.name, optimizer.keeps, optimizer.kwargs, training.lr_scheduler.name])
