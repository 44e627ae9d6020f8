"""Counts the bytes of a training step by running it on tensors that have a shape but no content.

It uses torch's ``FakeTensorMode`` on the CPU, so neither a graphics card nor the memory is needed. Two differences of a
card are imitated: the functions that its autocast computes in float32, and optimizers that update all weights at once.
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
"""Optimizers of timm whose steps run without content. Some others crash the process; adamw is used for them."""
FLOAT32_ON_CARDS = {
    "layer_norm", "group_norm", "rms_norm", "normalize", "norm", "linalg_vector_norm", "softmax", "log_softmax",
    "softmin", "gumbel_softmax", "logsumexp", "softplus", "sum", "cumsum", "cumprod", "pow", "__pow__",
    "__rpow__", "square", "reciprocal", "__rdiv__", "__rtruediv__", "rsqrt", "exp", "expm1", "log", "log2",
    "log10", "log1p", "acos", "asin", "cosh", "sinh", "tan", "erfinv", "cosine_similarity", "interpolate",
}  # fmt: skip
"""Functions that autocast computes in float32 on CUDA but in bfloat16 on a CPU (``interpolate``: except ``area``).

Found by calling them on fake tensors of both devices; torch documents most of them under "CUDA Ops that can autocast
to float32".
"""


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of all tensors that are made while it is active, until their storages are freed."""

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
        """Count a storage once, even if several tensors are views of it. Its Python object lives as long as it does."""
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
    """Makes autocast on a CPU return float32 wherever a graphics card would."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        if name == "cat":  # a card converts while it copies; a CPU converts all inputs before
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

    It counts weights, buffers, their average, gradients, the optimizer's state, inputs, and the stored and temporary
    tensors of forward and backward pass. A network that cannot be built is a ``UserError``.
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
    """The tensors that ``Trainer`` holds, and its step."""

    def __init__(self, config: Config, model: nn.Module) -> None:
        training = config.training
        self.image_size, self.mixed = config.data.image_size, training.mixed_precision is not False
        self.model = model.train()
        self.loss = build_loss(training.loss)
        # rates change no size; with decay, sgd holds one more copy of the gradients; one group gives the peak
        name = known_optimizer(training.optimizer.name)
        usual = {"name": name, "weight_decay": 0.01, "encoder_lr_mult": 1.0, "layer_decay": 1.0}
        if name != training.optimizer.name:  # keys of the other optimizer
            usual |= {"kwargs": {}, **dict.fromkeys(OWN)}
        optimizer = training.optimizer.model_copy(update=usual)
        self.optimizer = build_optimizer(model, training.model_copy(update={"optimizer": optimizer}))
        step_as_on_a_card(self.optimizer)
        # averaging is done in place; timm's class copies the network by deepcopy, which corrupts memory on tensors
        # without content (torch 2.15)
        self.average = [item.clone() for item in model.state_dict().values()] if training.ema_decay else []

    def step(self, sizes: Sequence[int]) -> None:
        """One optimizer step over micro-batches, which holds the same tensors as the step of ``Trainer``."""
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
    """The optimizer whose step is run for ``name``."""
    return name if name in STEPPED else "adamw"


def step_as_on_a_card(optimizer: torch.optim.Optimizer) -> None:
    """Make an optimizer update all weights at once, as by default on a graphics card; this holds a temporary copy.

    On a CPU the default is to update one weight after the other, without a copy. A fused step makes no copy either.
    """
    for group in optimizer.param_groups:
        if "foreach" in group and type(optimizer) not in FUSED:
            group["foreach"] = True


@contextmanager
def _new_parameters() -> Generator[None]:
    """Make ``Module.to_empty`` create new parameters instead of overwriting the real ones."""
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        yield
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(before)
