"""Measures what a network costs where it is used."""

import json
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from src.atomic import replace_text
from src.config.compose import load_config
from src.config.schema import Config
from src.errors import UserError
from src.models.device import MIB, choose_device, choose_layout, choose_precision, count_weights, use_threads
from src.models.start import starting_network
from src.scoring.inference import predict_probs
from src.training.fake_step import LiveBytes
from trainable.limits import Costs, Limits

WARM_UP, MOST, SECONDS = 2, 20, 0.5
"""Predictions before the time counts, and at most so many, or for so long, for which it does."""
FILE = "costs.json"


def measure_costs(model: nn.Module, config: Config) -> Costs:
    """Predict one image some times. Training goes on as if nothing had happened: no random number is drawn."""
    device = next(model.parameters()).device
    dtype = choose_precision(config.training.mixed_precision, device)
    image = torch.zeros(1, *config.data.image_size, 3, dtype=torch.uint8)

    plain = Uncompiled(model)

    def predict() -> None:
        wait(predict_probs(plain, image, config.data, dtype))

    training = model.training
    model.eval()
    try:
        for _ in range(WARM_UP):
            predict()
        with LiveBytes() as live:
            predict()
        milliseconds, end = list[float](), time.perf_counter() + SECONDS
        while not milliseconds or (len(milliseconds) < MOST and time.perf_counter() < end):
            started = time.perf_counter()
            predict()
            milliseconds.append((time.perf_counter() - started) * 1000)
    finally:
        model.train(training)
    weights = sum(item.nbytes for item in model.state_dict().values())
    return Costs(float(count_weights(model)), min(milliseconds), (weights + live.peak) / MIB)


class Uncompiled(nn.Module):
    """A network whose ``forward`` is called as it is: torch would compile it once more for one image."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network.forward(images)


def wait(probs: Tensor) -> None:
    """Until a card has computed it."""
    if probs.is_cuda:
        torch.cuda.synchronize(probs.device)


def known_costs(model: nn.Module, config: Config, folder: Path) -> Costs:
    """The costs that are kept in a trial's folder; they are measured before its first epoch."""
    path = folder / FILE
    if not path.is_file():
        replace_text(path, json.dumps(asdict(measure_costs(model, config))))
    return Costs(**json.loads(path.read_text()))


def check_default(overrides: Iterable[str], limits: Limits) -> Costs:
    """The costs of the default configuration, which must keep the limits: all others are compared with it."""
    config = load_config(overrides)
    device = choose_device(config.device)
    use_threads(config)
    model, _ = starting_network(config)
    layout = choose_layout(model, config.model.architecture, device)
    costs = measure_costs(model.to(device, memory_format=layout), config)  # type: ignore[call-overload]
    if broken := "; ".join(limits.broken(costs)):
        raise UserError(
            f"limits: the default configuration breaks them: {broken}. Raise the limit, or choose a smaller default "
            "with fixed=."
        )
    return costs
