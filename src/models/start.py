"""The weights that a training starts from: random ones, ImageNet's (``src.models.registry``), or those of
``model.init_from``.

``model.init_from`` is a checkpoint of this project, a file or folder with the weights of another network, or the name
of one on the Hugging Face hub. What has the name and shape of one of our weights is loaded; the rest starts as it would
without.
"""

import logging
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from src.config.schema import Config, SmpModel, SwinUnetModel
from src.errors import UserError
from src.models.checkpoint import FORMAT, load_training
from src.models.hub import find_weights
from src.models.registry import build_model
from src.provenance import digest

log = logging.getLogger(__name__)

Weights = Mapping[str, Tensor]
WITHIN = ("state_dict", "model_state_dict", "model", "net", "network", "weights")
"""Under which of these names files of other programs keep the weights, where they keep more."""
ADDED = ("", "encoder.", "encoder.model.")
"""In front of the names: the weights of an encoder alone, as timm or torchvision save them."""
NAMED = 3
"""How many weights a message names."""


@dataclass(frozen=True)
class Start:
    """What a training starts from."""

    pretrained: bool
    """Whether ImageNet's weights were loaded."""
    source: Path | None = None
    """The file of ``model.init_from``."""
    loaded: int = 0
    """Weights of the network (tensors) that it gave."""
    missing: tuple[str, ...] = ()
    """The others."""

    def about(self) -> dict[str, Any]:
        """Facts for a run's ``provenance.json``."""
        about: dict[str, Any] = {"pretrained_weights": self.pretrained}
        if self.source is not None:
            read = {"file": str(self.source), "digest": digest(self.source)}
            about["init_from"] = read | {"loaded": self.loaded, "not_loaded": list(self.missing)}
        return about


def starting_network(config: Config) -> tuple[nn.Module, Start]:
    """The network to train, and what it starts from. If a training is continued, all weights are its checkpoint's.

    ImageNet's weights are only looked for if ``model.init_from`` does not give the whole encoder. A file that is none,
    or of which nothing fits, is a ``UserError``.
    """
    model, image_size = config.model, config.data.image_size
    if model.init_from is None or config.training.resume_from is not None:
        network, pretrained = build_model(model, image_size)
        return network, Start(pretrained)
    source = find_weights(model.init_from)
    weights = read_weights(source)
    encoder = model.encoder.model_copy(update={"pretrained": False})
    network, pretrained = build_model(model.model_copy(update={"encoder": encoder}), image_size)
    fitting = fit(weights, network)
    if not any(value.ndim > 1 for value in fitting.values()):
        raise UserError(none_fits(model, weights, network))
    missing = tuple(name for name in network.state_dict() if name not in fitting)
    if model.encoder.pretrained is not False and any(name.startswith("encoder.") for name in missing):
        network, pretrained = build_model(model, image_size)
    network.load_state_dict(fitting, strict=False)
    start = Start(pretrained, source, len(fitting), missing)
    log.info(in_words(start, len(weights)))
    return network, start


def in_words(start: Start, count: int) -> str:
    """What was loaded of ``count`` weights in the file, and what was not."""
    rest = f"; the others begin anew: {named(start.missing)}" if start.missing else ""
    unused = f" ({count - start.loaded} in the file are not used)" if count > start.loaded else ""
    return (
        f"{start.loaded} of the network's {start.loaded + len(start.missing)} weights are from {start.source}"
        f"{unused}{rest}"
    )


def named(names: tuple[str, ...]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def none_fits(model: SmpModel | SwinUnetModel, weights: Weights, network: nn.Module) -> str:
    """The sentence for weights of another network."""
    theirs, ours = (
        ", ".join(f"{name} {list(value.shape)}" for name, value in [*state.items()][:NAMED])
        for state in (weights, network.state_dict())
    )
    return (
        f"model.init_from={model.init_from}: nothing in it fits {model.architecture} with {model.encoder.name}. It "
        f"begins with {theirs}; the network begins with {ours}. The run that wrote it has its architecture and encoder "
        "in config.yaml."
    )


def read_weights(path: Path) -> Weights:
    """The weights in a file, by name; no code in it is run. A damaged or foreign file is a ``UserError``."""
    content = read_tensors(path)
    if content.get("format") == FORMAT:
        payload = load_training(path)
        return payload["ema"] or payload["model"]
    for within in WITHIN:
        if isinstance(content.get(within), dict):
            content = cast(dict[str, Any], content[within])
            break
    weights = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    if not weights:
        raise UserError(f"model.init_from: {path} holds no weights by name.")
    broken = [name for name, value in weights.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise UserError(
            f"model.init_from: {path} holds a broken network: {named(tuple(broken))} contain NaN or infinity."
        )
    return weights


def read_tensors(path: Path) -> dict[str, Any]:
    """The content of a file of safetensors or of torch."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if any(record.compress_type != zipfile.ZIP_STORED for record in archive.infolist()):
                    raise ValueError("its records are compressed")  # torch's never are
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # foreign files make the unpickler raise anything
        detail = " ".join(str(error).split())[:200]
        raise UserError(f"model.init_from: {path} holds no weights of torch, or it is damaged: {detail}") from error
    if not isinstance(content, dict):
        raise UserError(f"model.init_from: {path} holds no weights by name, but a {type(content).__name__}.")
    return cast(dict[str, Any], content)


def fit(weights: Weights, network: nn.Module) -> dict[str, Tensor]:
    """The weights that the network has too, with its names and in its shapes.

    Other programs put ``model.``, ``module.`` or the like in front of all names, or save an encoder alone: of those
    ways to name them, the one with the most that fit.
    """
    ours = network.state_dict()
    best: dict[str, Tensor] = {}
    for before, added in product(prefixes(weights), ADDED):
        renamed = {
            f"{added}{name.removeprefix(before)}": value for name, value in weights.items() if name.startswith(before)
        }
        found = {name: value for name, value in renamed.items() if name in ours and value.shape == ours[name].shape}
        best = found if len(found) > len(best) else best
    return best


def prefixes(weights: Weights) -> Iterator[str]:
    """Beginnings of names that most weights share: "", "module.", "module.model." ..."""
    prefix = ""
    while True:
        yield prefix
        parts = Counter(name.removeprefix(prefix).partition(".")[0] for name in weights if name.startswith(prefix))
        ((part, count),) = parts.most_common(1) or [("", 0)]
        if 2 * count <= len(weights):
            return
        prefix += f"{part}."
