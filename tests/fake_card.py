"""A graphics card that is not there: torch's fake tensors have shape, type and device, and no values.

The real ``Trainer`` steps on them. Two things are not as on a card: gradients are given, not computed, since autograd's
engine wants a driver; and what is asked of the card is answered by ``waits.Waits``.
"""

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.utils._pytree import tree_map_only
from waits import Waits, tensors

import src.training.trainer
from src.config.compose import load_config
from src.data.loader import EpochLoader
from src.scoring.inference import _colour
from src.training.trainer import Trainer

Function = Callable[..., Any]
CARD = torch.device("cuda:0")
CUDA: dict[str, Function] = {
    "is_available": lambda: True,
    "device_count": lambda: 1,
    "is_bf16_supported": lambda *_, **__: True,
    "get_device_capability": lambda *_: (8, 6),
    "get_device_properties": lambda *_: SimpleNamespace(name="none", L2_cache_size=2**22, total_memory=2**33),
    "get_rng_state": lambda *_: torch.get_rng_state(),
    "set_rng_state": lambda *_: None,
    "empty_cache": lambda: None,
}
"""What ``torch.cuda`` says of it."""


@contextmanager
def fake_card(patch: pytest.MonkeyPatch) -> Generator[Waits]:
    """Within, torch believes in a card of capability 8.6, and all new tensors are fake.

    Loaders have no processes and no pinned memory; networks are built, and files read, with real tensors.
    """
    patch.setattr("torch._subclasses.fake_tensor.init_gpu_context", lambda device: None)
    patch.setattr(FakeTensorMode, "avoid_device_init", property(lambda self: True))
    patch.setattr(FakeTensor, "__deepcopy__", cloned, raising=False)
    patch.setattr(Tensor, "backward", give_gradients)
    patch.setattr(Tensor, "numpy", with_real_tensors(Tensor.numpy))
    for module in ("torch.optim.optimizer", "torch.utils._foreach_utils"):  # all parameters at once, as on a card
        patch.setattr(sys.modules[module], "_foreach_supported_types", [Tensor, nn.Parameter, FakeTensor])
    patch.setattr("timm.optim._helpers._L2_CACHE_SIZE", {})  # kept by device
    for name, answer in CUDA.items():
        patch.setattr(f"torch.cuda.{name}", answer)
    for name in ("seed_everything", "restore_random_state"):
        patch.setattr(f"src.training.trainer.{name}", lambda *_: None)
    patch.setattr("src.training.trainer.starting_network", with_real_tensors(src.training.trainer.starting_network))
    patch.setattr("src.training.trainer.ModelEmaV3", with_generator_of_host(src.training.trainer.ModelEmaV3))
    patch.setattr("torch.load", onto_card(torch.load))
    patch.setattr(EpochLoader, "__init__", beside_no_card(EpochLoader.__init__))
    _colour.cache_clear()  # it keeps tensors
    try:
        with FakeTensorMode(allow_non_fake_inputs=True), Waits() as waits:
            yield waits
    finally:
        _colour.cache_clear()


@dataclass(frozen=True)
class Step:
    """What one training step showed."""

    images: Tensor
    logits: Tensor
    masks: Tensor
    loss: Tensor
    precisions: set[torch.dtype]
    """Of what the convolutions and linear maps gave."""


def take_step(one: Trainer, images: int = 2) -> Step:
    """One ``_train_step`` on black images, in micro-batches of ``data.batch_size``."""
    height, width = one.config.data.image_size
    passed, precisions = list[Any](), set[torch.dtype]()
    hooks = [
        one.model.register_forward_hook(lambda _, given, out: passed.extend([given[0], out])),
        one.loss.register_forward_hook(lambda _, given, out: passed.extend([given[1], out])),
        *(
            part.register_forward_hook(lambda _, given, out: precisions.add(out.dtype))
            for part in one.model.modules()
            if isinstance(part, nn.Conv2d | nn.Linear)
        ),
    ]
    colours = torch.zeros(images, height, width, 3, dtype=torch.uint8)
    loss = one._train_step(colours, colours[..., 0])
    for hook in hooks:
        hook.remove()
    inputs, logits, masks, _ = passed[-4:]
    return Step(inputs, logits, masks, loss, precisions)


def trainer(overrides: Sequence[str]) -> Trainer:
    return Trainer(load_config(overrides), overrides)


def misplaced(one: Trainer) -> list[str]:
    """Names of tensors that are not on the card and should be. Optimizers count their steps on the host."""
    own = {**one.model.state_dict(), **one.loss.state_dict(prefix="loss."), "before_step": one.before_step.values}
    kept = {f"optimizer.{n}": item for n, item in enumerate(tensors(dict(one.optimizer.state))) if item.dim()}
    averaged = one.ema.module.state_dict(prefix="ema.") if one.ema is not None else {}
    everything = own | kept | averaged
    return [name for name, item in everything.items() if item is not None and item.device != CARD]


def cloned(tensor: Tensor, memo: dict[int, object]) -> Tensor:
    """In place of ``Tensor.__deepcopy__``, which writes into memory that a fake tensor does not have."""
    clone = tensor.detach().clone()
    if isinstance(tensor, nn.Parameter):
        clone = nn.Parameter(clone, tensor.requires_grad)
    memo[id(tensor)] = clone
    return clone


def give_gradients(loss: Tensor, *_: object) -> None:
    """In place of ``Tensor.backward``: a gradient for every parameter that the loss depends on."""
    assert loss.dim() == 0
    behind, seen = [loss.grad_fn], set[object]()
    while behind:
        node = behind.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        behind += [earlier for earlier, _ in node.next_functions]
        parameter = getattr(node, "variable", None)
        if isinstance(parameter, Tensor):
            gradient = torch.empty_like(parameter)
            parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient


def with_real_tensors(function: Function) -> Function:
    """The function, in which nothing new is fake: for what wants the values that tensors have in memory."""

    def called(*args: object) -> object:
        with unset_fake_temporarily():
            return function(*args)

    return called


def with_generator_of_host(average: Function) -> Function:
    """timm's averaged weights make a generator on the card, for a rounding of bf16 weights that is not used here."""

    def made(*args: object, **settings: object) -> object:
        host = torch.Generator()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch, "Generator", lambda **_: host)
            return average(*args, **settings)

    return made


def onto_card(load: Function) -> Function:
    """``torch.load`` that reads real tensors, and then moves them to where they were wanted."""

    def moved(path: Path, map_location: torch.device | str, weights_only: bool) -> object:
        with unset_fake_temporarily():
            payload = load(path, map_location="cpu", weights_only=weights_only)
        return tree_map_only(Tensor, lambda item: item.to(map_location), payload)

    return moved


def beside_no_card(begin: Function) -> Function:
    """The beginning of an ``EpochLoader`` that has no processes and does not pin its memory."""
    return lambda self, dataset, batches, *_, **__: begin(self, dataset, batches, 0, False)
