"""Loads a network from a checkpoint and predicts probabilities of crack for uint8 photographs."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from src.config.compose import load_config
from src.config.overrides import Overrides
from src.config.schema import Config, Data, Rgb
from src.data.files import MAX_PIXELS, Float32Array, UInt8Array
from src.data.scaled import Scaled
from src.data.tiles import Rows, predict_rows, stretched
from src.errors import UserError
from src.models.checkpoint import load_training
from src.models.device import choose_device, choose_layout, choose_precision, layout_of, use_precision, use_threads
from src.models.micro_batch import MicroBatch
from src.models.registry import build_model
from src.scoring.cleaning import Cleaning

# test-time augmentation: quarter turns and whether mirrored before them
VIEWS: dict[str, tuple[tuple[int, bool], ...]] = {
    "none": ((0, False),),
    "flips": ((0, False), (0, True), (2, False), (2, True)),
    "d4": tuple((turns, mirrored) for turns in range(4) for mirrored in (False, True)),
}


# the keys of the configuration on which scoring and predicting depend
READ = ("model", "data", "evaluation", "device", "threads", "output_root", "training.mixed_precision")
NOT_READ = ("data.augmentation", "data.crop")


@dataclass(frozen=True)
class Network:
    """A trained network with the facts from its checkpoint."""

    checkpoint: Path
    config: Config
    model: nn.Module
    device: torch.device
    dtype: torch.dtype | None
    epoch: int
    threshold: float | None
    """The best threshold on validation, without test-time augmentation. None: it is not known yet."""
    scale: tuple[float, float]
    """Height and width of the training images as the network saw them, divided by those of the photographs."""
    micro_batch: MicroBatch
    cleaning: Cleaning | None = None
    """The best on validation for ``threshold``, without test-time augmentation. None: it is not known."""
    members: tuple["Network", ...] = ()
    """The networks whose mean this is (``src.scoring.ensemble``); none of one network."""

    @property
    def parts(self) -> tuple["Network", ...]:
        """The networks whose mean this is, or itself."""
        return self.members or (self,)

    def probs(self, images: Tensor, tta: str = "none") -> Tensor:
        """Probabilities (N, 1, H, W) of uint8 images (N, H, W, 3): the mean over the views of ``VIEWS[tta]``."""

        def all_parts(size: int) -> Tensor:
            return torch.cat([self._mean_of_views(part, tta) for part in images.split(size)])

        return self.micro_batch.run(all_parts)

    def rows(self, image: Rows, tta: str, overlap: float) -> Iterator[Float32Array]:
        """Probabilities of a photograph (H, W, 3) of any size, at its own size, in bands (rows, W) from top to bottom.

        It is resized to the scale of the training images and predicted in tiles of ``data.image_size`` that share
        ``overlap``. An array that would be too large at that scale is a ``UserError``; a file is resized row by row.
        """
        height, width = image.shape[:2]
        seen = max(1, round(height * self.scale[0])), max(1, round(width * self.scale[1]))
        at_once = 1 if self.device.type == "cpu" else self.micro_batch.size  # more are not faster on a CPU

        def predict(tiles: UInt8Array) -> Float32Array:
            return self.probs(torch.from_numpy(tiles), tta)[:, 0].cpu().numpy()

        scaled = image if seen == (height, width) else resized(image, seen)
        bands = predict_rows(scaled, predict, self.config.data.image_size, overlap, at_once)
        return bands if seen == (height, width) else stretched(bands, seen, (height, width))

    def _mean_of_views(self, images: Tensor, tta: str) -> Tensor:
        total: Tensor | None = None
        for turns, mirrored in VIEWS[tta]:
            seen = torch.rot90(images.flip(2) if mirrored else images, turns, (1, 2))
            probs = torch.rot90(
                predict_probs(self.model, seen.contiguous(), self.config.data, self.dtype), -turns, (2, 3)
            )
            probs = probs.flip(3) if mirrored else probs
            total = probs if total is None else total + probs
        assert total is not None
        return total / len(VIEWS[tta])


def resized(image: Rows, size: tuple[int, int]) -> Rows:
    """A photograph at the scale of a network: an array at once, a file row by row."""
    if not isinstance(image, np.ndarray):
        return Scaled(image, size)
    height, width = image.shape[:2]
    if size[0] * size[1] > MAX_PIXELS:
        raise UserError(
            f"A photograph of {width}x{height} would be {size[1]}x{size[0]} pixels at the scale of the network's "
            f"training images, more than {MAX_PIXELS // 10**6} million: cut it into pieces."
        )
    interpolation = cv2.INTER_AREA if size[0] * size[1] < height * width else cv2.INTER_LINEAR
    return cv2.resize(image, size[::-1], interpolation=interpolation).astype(np.uint8, copy=False)


def load_network(checkpoint: Path, overrides: Iterable[str] = ()) -> Network:
    """Rebuild the checkpoint's network on ``device``; the overrides are added to those it was trained with.

    A damaged or foreign file, or overrides that describe another network, are a ``UserError``.
    """
    added = Overrides.parse(overrides)
    for item in added.items:
        if not item.is_at(READ) or item.is_at(NOT_READ):
            raise UserError(f"{item}: this key has no effect here. Legal: keys that begin with {', '.join(READ)}.")
    payload = load_training(checkpoint)
    with errors_of_checkpoint(checkpoint):
        trained = Overrides.parse(payload["overrides"]).without("training.resume_from")
    try:
        config = load_config(trained.plus(added))
    except UserError:
        with errors_of_checkpoint(checkpoint):
            load_config(trained)
        raise  # the mistake is in the added overrides
    use_threads(config)
    device = choose_device(config.device)
    dtype = choose_precision(config.training.mixed_precision, device)
    use_precision(dtype)
    # built for its training size, which decides the attention windows; it takes images of any size
    built = load_config(trained.plus(added.at("model")))
    # the weights come from the checkpoint, so none are downloaded
    encoder = built.model.encoder.model_copy(update={"pretrained": False})
    with errors_of_checkpoint(checkpoint):
        model, _ = build_model(built.model.model_copy(update={"encoder": encoder}), built.data.image_size)
    load_weights(model, payload["ema"] or payload["model"], checkpoint)
    return Network(
        checkpoint=checkpoint,
        config=config,
        model=cast(Any, model.eval()).to(device, memory_format=choose_layout(model, config.model.architecture, device)),
        device=device,
        dtype=dtype,
        epoch=payload["epoch"],
        threshold=payload["threshold"],
        scale=tuple(payload["scale"]),
        micro_batch=MicroBatch(config.data.batch_size, 1),
        cleaning=Cleaning.read(payload.get("cleaning")),
    )


@contextmanager
def errors_of_checkpoint(checkpoint: Path) -> Generator[None]:
    """Name the checkpoint in a ``UserError`` that is raised within."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{checkpoint} holds a network that cannot be built here: {error}") from error


def refuse_views(tta: str, size: tuple[int, int]) -> None:
    """A ``UserError`` for quarter turns of images that are not square: turned, they would not fit the network."""
    if any(turns % 2 for turns, _ in VIEWS[tta]) and size[0] != size[1]:
        raise UserError(
            f"tta={tta} turns images by 90 degrees, but data.image_size={list(size)} is not square. Legal: none, flips."
        )


@torch.inference_mode()
def predict_probs(model: nn.Module, images: Tensor, data: Data, dtype: torch.dtype | None) -> Tensor:
    """One forward pass: uint8 images (N, H, W, 3) to float32 probabilities (N, 1, H, W) on the model's device."""
    inputs, _ = to_network(images, images[..., 0], data, model)
    with torch.autocast(inputs.device.type, dtype, enabled=dtype is not None):
        logits = cast(Tensor, model(inputs))
    return logits.float().sigmoid()


def to_network(images: Tensor, masks: Tensor, data: Data, network: nn.Module) -> tuple[Tensor, Tensor]:
    """Move uint8 (N, H, W, 3) and (N, H, W) to a network's device and memory order, then normalise the images there.

    The results are float (N, 3, H, W) and (N, 1, H, W). Moving uint8 is a quarter of moving floats.
    """
    device = next(network.parameters()).device
    mean, std = _colour(data.mean, device), _colour(data.std, device)
    moved = images.to(device, non_blocking=True).permute(0, 3, 1, 2)
    normalised = (moved.to(torch.float32, memory_format=layout_of(network)) - mean) / std
    return normalised, masks.to(device, non_blocking=True).unsqueeze(1).float()


@lru_cache
def _colour(values: Rgb, device: torch.device) -> Tensor:
    """Per-channel values in [0, 1] as (1, 3, 1, 1) in 8-bit units; cached, because making it waits for the device."""
    return torch.tensor(values, device=device).view(1, 3, 1, 1) * 255


def load_weights(model: nn.Module, weights: dict[str, Any], path: Path) -> None:
    """Load a checkpoint's weights; those of another architecture are a ``UserError`` with the first difference."""
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        detail = " ".join(str(error).split())[:200]
        raise UserError(
            f"{path} holds the weights of another network than the configuration describes. Its run's overrides.yaml "
            f"holds its own configuration. {detail}"
        ) from error
