"""From ``model`` in the configuration to a network, with or without ImageNet weights."""

import inspect
import logging
import os
import socket
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.request import getproxies

import torch
from torch import nn

from src.errors import UserError, unknown
from src.schema import SmpModel, SwinUnetModel

log = logging.getLogger(__name__)

HUB = ("huggingface.co", 443)


def build_model(model: SmpModel | SwinUnetModel, image_size: tuple[int, int]) -> tuple[nn.Module, bool]:
    """The network, (N, 3, H, W) images to (N, 1, H, W) logits, and whether pretrained weights were loaded.

    ``pretrained: true`` without weights is a ``UserError``; ``auto`` says in the log that it starts from random ones.
    """
    build, possible = _builder(model, image_size)
    wanted = model.encoder.pretrained
    if wanted is False:
        return build(False), False
    if not possible:
        return _without_weights(build, model, "none that fit it are published")
    _be_brief_offline()
    state = torch.get_rng_state()
    try:
        return build(True), True
    except OSError:  # every kind of "not in the cache and not on the network"
        torch.set_rng_state(state)  # what the failed attempt drew must not change the random weights
        return _without_weights(build, model, "they are not in the local cache and the hub cannot be reached")


def _without_weights(
    build: Callable[[bool], nn.Module], model: SmpModel | SwinUnetModel, why: str
) -> tuple[nn.Module, bool]:
    name = model.encoder.name
    if model.encoder.pretrained is True:
        raise UserError(
            f"model.encoder.pretrained=true: no weights for {name}: {why}. Say auto or false to do without."
        )
    _say_once(f"{name} starts from random weights: {why}")
    return build(False), False


@lru_cache
def _say_once(sentence: str) -> None:
    log.warning(sentence)


def _builder(model: SmpModel | SwinUnetModel, size: tuple[int, int]) -> tuple[Callable[[bool], nn.Module], bool]:
    """A function of ``pretrained`` that builds the network, and whether pretrained weights can fit it."""
    if isinstance(model, SwinUnetModel):
        from src.models.swin_unet import SwinUNet, can_load_pretrained

        return lambda pretrained: SwinUNet(model.encoder, model.decoder, size, pretrained), can_load_pretrained(
            model.encoder
        )
    return lambda pretrained: _build_smp(model, pretrained), _smp_has_weights(model.encoder.name)


def _smp_has_weights(encoder: str) -> bool:
    """Whether ImageNet weights are published for an encoder of segmentation-models-pytorch, or ``tu-`` of timm."""
    import segmentation_models_pytorch as smp
    import timm

    if encoder.startswith("tu-"):
        return timm.is_model_pretrained(encoder.removeprefix("tu-"))
    return "imagenet" in smp.encoders.encoders.get(encoder, {}).get("pretrained_settings", {})


def _build_smp(model: SmpModel, pretrained: bool) -> nn.Module:
    import segmentation_models_pytorch as smp  # seconds to import: only where it is needed

    encoder = model.encoder
    if not encoder.name.startswith("tu-") and encoder.name not in smp.encoders.get_encoder_names():
        raise unknown(
            "encoder in model.encoder.name", encoder.name, [*smp.encoders.get_encoder_names(), "tu-<any of timm>"]
        )
    legal = inspect.signature(smp.MODEL_ARCHITECTURES_MAPPING[model.architecture].__init__).parameters
    for key in model.decoder:
        if key not in legal:  # smp hands on what it does not know, and its own encoders swallow it
            raise unknown("key in model.decoder", key, [name for name in legal if name.startswith("decoder_")])
    weights: Any = encoder.name.startswith("tu-") or "imagenet"  # timm's encoders have no names for their weights
    try:
        network = smp.create_model(
            model.architecture,
            encoder_name=encoder.name,
            encoder_weights=weights if pretrained else None,
            encoder_depth=encoder.depth,
            **model.decoder,
        )
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        detail = " ".join(str(error).split())
        raise UserError(f"model: {model.architecture} with encoder {encoder.name}: {detail}") from error
    return network


def _be_brief_offline() -> None:
    """Without a network a missing weight file costs 24 s of retries; in its offline mode the hub says so at once."""
    if "HF_HUB_OFFLINE" in os.environ or "HF_ENDPOINT" in os.environ or "https" in getproxies():
        return  # the user has said how the hub is reached
    try:
        socket.create_connection(HUB, timeout=3).close()
        offline = "0"
    except OSError:
        offline = "1"
    os.environ["HF_HUB_OFFLINE"] = offline  # for processes started later
    import huggingface_hub.constants

    huggingface_hub.constants.HF_HUB_OFFLINE = offline == "1"  # it has read the environment already
