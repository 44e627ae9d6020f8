"""Training steps on tensors that have a shape and no content: how many bytes would they hold at most?

torch's ``FakeTensorMode`` on the CPU does the shapes, so neither a graphics card nor the memory is needed. What a card
does otherwise than a CPU is imitated: the functions that its autocast computes in float32, and optimizers that step all
weights at once.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import finalize

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from src.config.schema import OWN, Config
from src.models.registry import build_model
from src.training.losses import build_loss
from src.training.optimization import FUSED, build_optimizer

STEPPED = ("adam", "adamw", "lion", "nadamw", "rmsprop", "sgd")
"""Optimizers of timm whose steps run without content. Some others end the process; they are taken for adamw."""
FLOAT32_ON_CARDS = {
    "layer_norm", "group_norm", "rms_norm", "normalize", "norm", "linalg_vector_norm", "softmax", "log_softmax",
    "softmin", "gumbel_softmax", "logsumexp", "softplus", "sum", "cumsum", "cumprod", "pow", "__pow__",
    "__rpow__", "square", "reciprocal", "__rdiv__", "__rtruediv__", "rsqrt", "exp", "expm1", "log", "log2",
    "log10", "log1p", "acos", "asin", "cosh", "sinh", "tan", "erfinv", "cosine_similarity", "interpolate",
}  # fmt: skip
"""What autocast computes in float32 on CUDA and in bfloat16 on a CPU (``interpolate``: but for mode ``area``).

Found by calling them on fake tensors of either device; torch documents most of them under "CUDA Ops that can autocast
to float32".
"""


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of all tensors made while it is active, as long as their storages live."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._live: set[int] = set()

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._hold(leaf.untyped_storage())
        return result

    def _hold(self, storage: torch.UntypedStorage) -> None:
        """Count a storage once, however many tensors are views of it. torch keeps its Python object while it lives."""
        identity, size = id(storage), storage.nbytes()
        if identity not in self._live:
            self._live.add(identity)
            self.now += size
            self.peak = max(self.peak, self.now)
            finalize(storage, self._drop, identity, size)

    def _drop(self, identity: int, size: int) -> None:
        self._live.remove(identity)
        self.now -= size


class CardAutocast(TorchFunctionMode):
    """Autocast on a CPU that gives float32 wherever a graphics card's would."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        if name == "cat":  # a card promotes while it copies; autocast on a CPU converts what it is given beforehand
            with torch.autocast("cpu", enabled=False):
                return func(*args, **kwargs)
        if name in FLOAT32_ON_CARDS and kwargs.get("mode") != "area":
            args = tuple(_as_float32(value) for value in args)
            kwargs = {name: _as_float32(value) for name, value in kwargs.items()}
        return func(*args, **kwargs)


def _as_float32(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.dtype == torch.bfloat16 else value


def peak_bytes(config: Config, sizes: Sequence[int]) -> int:
    """Bytes at the peak of the second step, whose micro-batches have these ``sizes`` in images.

    Counted are weights, buffers, their average, gradients, the optimizer's state, inputs, and what forward and backward
    pass keep and need for a moment. A network that cannot be built is a ``UserError``.
    """
    encoder = config.model.encoder.model_copy(update={"pretrained": False})
    with torch.random.fork_rng(devices=[]):
        model, _ = build_model(config.model.model_copy(update={"encoder": encoder}), config.data.image_size)
    with FakeTensorMode(allow_non_fake_inputs=True), LiveBytes() as live:
        with _new_parameters():
            model = model.to_empty(device="cpu")
        training = FakeTraining(config, model)
        training.step(sizes)  # makes the optimizer's state
        live.peak = live.now
        training.step(sizes)
    return live.peak


class FakeTraining:
    """What ``Trainer`` holds, and its step."""

    def __init__(self, config: Config, model: nn.Module) -> None:
        training = config.training
        self.image_size, self.mixed = config.data.image_size, training.mixed_precision is not False
        self.model = model.train()
        self.loss = build_loss(training.loss)
        # rates change no size; with some decay sgd holds a copy of the gradients more, and one group holds most at once
        name = known_optimizer(training.optimizer.name)
        usual = {"name": name, "weight_decay": 0.01, "encoder_lr_mult": 1.0, "layer_decay": 1.0}
        if name != training.optimizer.name:  # what is of the other one alone
            usual |= {"kwargs": {}, **dict.fromkeys(OWN)}
        optimizer = training.optimizer.model_copy(update=usual)
        self.optimizer = build_optimizer(model, training.model_copy(update={"optimizer": optimizer}))
        step_as_on_a_card(self.optimizer)
        # averaging itself is done in place; timm's class would copy the network by deepcopy, which on tensors without
        # content corrupts memory (torch 2.15)
        self.average = [item.clone() for item in model.state_dict().values()] if training.ema_decay else []

    def step(self, sizes: Sequence[int]) -> None:
        """One optimizer step over micro-batches, which holds at each point what ``Trainer`` holds there."""
        self._accumulate(sizes)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def _accumulate(self, sizes: Iterable[int]) -> None:
        for size in sizes:
            inputs, targets = torch.empty(size, 3, *self.image_size), torch.empty(size, 1, *self.image_size)
            with torch.autocast("cpu", torch.bfloat16, enabled=self.mixed), CardAutocast():
                logits = self.model(inputs)
            share = self.loss(logits, targets) * 1.0
            share.backward()


def known_optimizer(name: str) -> str:
    """The optimizer that is stepped in place of ``name``."""
    return name if name in STEPPED else "adamw"


def step_as_on_a_card(optimizer: torch.optim.Optimizer) -> None:
    """Let it step all weights at once, as it does by default on a graphics card: that holds a copy of them for a while.

    On a CPU the default is one weight after the other, which holds no copy; nor does a fused step.
    """
    for group in optimizer.param_groups:
        if "foreach" in group and type(optimizer) not in FUSED:
            group["foreach"] = True


@contextmanager
def _new_parameters() -> Generator[None]:
    """Let ``Module.to_empty`` put in new parameters, where its usual way is to fill the real ones."""
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        yield
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(before)
