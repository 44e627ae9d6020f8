"""Builds the network of ``model`` in the configuration, with or without ImageNet weights."""

import copy
import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional

from src.config.schema import Config, SmpEncoder, SmpModel, SwinUnetModel
from src.errors import UserError, unknown
from src.models.hub import set_offline_mode

log = logging.getLogger(__name__)

Recipe = tuple[Callable[[bool], nn.Module], bool]
"""A function of ``pretrained`` that builds the network, and whether pretrained weights can fit it."""
STRIDE = 32  # pixels: sides must be multiples of it; the stride that smp reports is too small for dpt
CHECKED_SIZE = 128  # pixels: the size at which a new network is checked; the deepest pyramid (pan) needs it
# arguments of an architecture that other keys, or the task (one class, logits), decide
NOT_CONFIGURABLE = {
    "self",
    "encoder_name",
    "encoder_depth",
    "encoder_weights",
    "in_channels",
    "classes",
    "activation",
} | {
    "aux_params",
    "kwargs",
}


def build_model(model: SmpModel | SwinUnetModel, image_size: tuple[int, int]) -> tuple[nn.Module, bool]:
    """The network, (N, 3, H, W) images to (N, 1, H, W) logits, and whether pretrained weights were loaded.

    ``pretrained: true`` without weights is a ``UserError``; ``auto`` then logs that it starts from random weights.
    """
    build, possible = ARCHITECTURES[model.architecture].builder(model, image_size)
    wanted = model.encoder.pretrained
    if wanted is False:
        return build(False), False
    if not possible:
        return _without_weights(build, model, "none that fit it are published")
    set_offline_mode()
    state = torch.get_rng_state()
    try:
        return build(True), True
    except OSError:  # every kind of "not in the cache and not on the network"
        torch.set_rng_state(state)  # the random weights must not depend on the failed attempt
        return _without_weights(build, model, "its weights are not in the local cache, and the hub cannot be reached")
    except SafetensorError as error:  # an incomplete download, or the page of a proxy
        import huggingface_hub.constants

        raise UserError(
            f"The weights of {model.encoder.name} in {huggingface_hub.constants.HF_HUB_CACHE} are damaged ({error}): "
            "remove its folder there to download them again, or set model.encoder.pretrained=false."
        ) from error


def _without_weights(
    build: Callable[[bool], nn.Module], model: SmpModel | SwinUnetModel, why: str
) -> tuple[nn.Module, bool]:
    name = model.encoder.name
    if model.encoder.pretrained is True:
        raise UserError(
            f"model.encoder.pretrained=true: no weights for {name}: {why}. Use auto or false to train without."
        )
    _warn_once(f"{name} starts from random weights: {why}")
    return build(False), False


@lru_cache
def _warn_once(sentence: str) -> None:
    log.warning(sentence)


def _smp_builder(model: Any, size: tuple[int, int]) -> Recipe:
    return lambda pretrained: _build_smp(model, size, pretrained), _smp_has_weights(model.encoder.name)


def _swin_builder(model: Any, size: tuple[int, int]) -> Recipe:
    from src.models.swin_unet import SwinUNet, can_load_pretrained

    return lambda pretrained: SwinUNet(model.encoder, model.decoder, size, pretrained), can_load_pretrained(
        model.encoder
    )


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """How an architecture is built, and in what it differs from the others."""

    builder: Callable[[Any, tuple[int, int]], Recipe] = _smp_builder
    """Takes the configuration's ``model`` and ``data.image_size``; the default is segmentation-models-pytorch."""
    smallest_batch: int = 1
    """Images that it needs to learn. 2: its batch norm sees the one value that global pooling leaves of an image."""
    deterministic_on_cuda: bool = True
    """False: its adaptive average pooling to more than one cell has no deterministic CUDA kernel."""
    channels_last: bool = True
    """Whether it can be faster in channels-last order, as convolutions are (``src.models.device.choose_layout``)."""


ARCHITECTURES = {
    "deeplabv3": Architecture(smallest_batch=2),
    "deeplabv3plus": Architecture(smallest_batch=2),
    "dpt": Architecture(),
    "fpn": Architecture(),
    "linknet": Architecture(),
    "manet": Architecture(),
    "pan": Architecture(smallest_batch=2),
    "pspnet": Architecture(smallest_batch=2, deterministic_on_cuda=False),
    "segformer": Architecture(),
    "swin_unet": Architecture(builder=_swin_builder, channels_last=False),
    "unet": Architecture(),
    "unetplusplus": Architecture(),
    "upernet": Architecture(smallest_batch=2, deterministic_on_cuda=False),
}
"""``model.architecture`` to its traits; ``src.config.schema`` holds the keys of each."""


def smallest_micro_batch(config: Config) -> int:
    """Images that the network needs at once to learn from them: batch norm needs two values of each channel."""
    model = config.model
    one_value = isinstance(model, SmpModel) and max(config.data.image_size) <= 2**model.encoder.depth
    return max(ARCHITECTURES[model.architecture].smallest_batch, 2 if one_value else 1)


def _smp_has_weights(encoder: str) -> bool:
    """Whether ImageNet weights are published for an encoder of segmentation-models-pytorch, or ``tu-`` of timm."""
    import segmentation_models_pytorch as smp
    import timm

    if encoder.startswith("tu-"):
        return timm.is_model_pretrained(encoder.removeprefix("tu-"))
    return "imagenet" in smp.encoders.encoders.get(encoder, {}).get("pretrained_settings", {})


def _build_smp(model: SmpModel, image_size: tuple[int, int], pretrained: bool) -> nn.Module:
    import segmentation_models_pytorch as smp  # seconds to import: only where it is needed

    encoder = model.encoder
    _refuse_unknown_encoder(encoder.name)
    _refuse_encoder_arguments(encoder)
    legal = decoder_arguments(model.architecture)
    for key in model.decoder:
        if key not in legal:  # smp passes unknown keys on, and its encoders ignore them
            raise unknown("key in model.decoder", key, legal)
    weights: Any = encoder.name.startswith("tu-") or "imagenet"  # timm's encoders have no names for their weights
    try:
        network = smp.create_model(
            model.architecture,
            encoder_name=encoder.name,
            encoder_weights=weights if pretrained else None,
            encoder_depth=encoder.depth,
            **encoder.kwargs,
            **model.decoder,
        )
        network.__class__ = any_size(type(network))
        _check_forward(network, image_size)
    except (OSError, SafetensorError):
        raise  # weights that cannot be loaded
    except Exception as error:  # parts that do not fit raise anything
        detail = " ".join(str(error).split())
        raise UserError(f"model: {model.architecture} does not work with encoder {encoder.name}: {detail}") from error
    return network


def _refuse_unknown_encoder(name: str) -> None:
    """A ``UserError`` for unknown encoders, and for names of timm that contain a source of code and weights."""
    import segmentation_models_pytorch as smp
    import timm

    if name.startswith("tu-") and not timm.is_model(name.removeprefix("tu-")):
        near = get_close_matches(name.removeprefix("tu-"), timm.list_models(), n=3, cutoff=0)
        raise UserError(f"model.encoder.name={name}: timm has no such model. Similar: {', '.join(near)}.")
    if not name.startswith("tu-") and name not in smp.encoders.get_encoder_names():
        raise unknown("encoder in model.encoder.name", name, [*smp.encoders.get_encoder_names(), "tu-<any of timm>"])


def _refuse_encoder_arguments(encoder: SmpEncoder) -> None:
    """A ``UserError`` for arguments that would be ignored, and for those of ``timm.create_model``, which load files."""
    import timm

    if encoder.kwargs and not encoder.name.startswith("tu-"):
        raise UserError(
            f"model.encoder.kwargs={encoder.kwargs}: only timm's encoders (tu-...) take them, not {encoder.name}."
        )
    own = inspect.signature(timm.create_model).parameters
    for key in encoder.kwargs:
        if key in own or key.startswith("_"):
            raise UserError(f"model.encoder.kwargs.{key}: only arguments of the class of {encoder.name} are legal.")


def decoder_arguments(architecture: str) -> list[str]:
    """The legal keys of ``model.decoder``: arguments of the architecture's class that no other key decides."""
    import segmentation_models_pytorch as smp

    parameters = inspect.signature(smp.MODEL_ARCHITECTURES_MAPPING[architecture].__init__).parameters
    return [name for name in parameters if name not in NOT_CONFIGURABLE]


def any_size(network: type[nn.Module]) -> type[nn.Module]:
    """A subclass for images of any size: edges are extended to multiples of 32 if necessary, and cut off again.

    It is not a wrapper, so that the weights keep their names and can be loaded into the library's own network.
    """

    class AnySize(network):
        library_class = network

        def forward(self, images: Tensor) -> Tensor:
            height, width = images.shape[-2:]
            stride = STRIDE if self.requires_divisible_input_shape else 1
            below, right = -height % stride, -width % stride
            if below or right:
                images = functional.pad(images, (0, right, 0, below), mode="replicate")
            return super().forward(images)[..., :height, :width]

    AnySize.__name__ = network.__name__  # the library writes it into the files of ``save_pretrained``
    return AnySize


def unwrapped(network: nn.Module) -> nn.Module:
    """A copy of a network on the CPU, for scoring, with the library's own class where ``any_size`` has changed it."""
    plain: nn.Module = copy.deepcopy(network).eval().to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    for module in plain.modules():
        module.__class__ = getattr(type(module), "library_class", type(module))
    return plain


def _check_forward(network: nn.Module, image_size: tuple[int, int]) -> None:
    """Pass one image through the network: parts that do not fit each other fail here, in less than a second."""
    height, width = (min(side, CHECKED_SIZE) for side in image_size)
    with torch.inference_mode():
        shape = tuple(network.eval()(torch.zeros(1, 3, height, width)).shape)
    network.train()
    if shape != (1, 1, height, width):
        raise ValueError(f"an image of {height}x{width} pixels gives logits of shape {shape}")
