"""Where the host waits for a graphics card, written down while the program runs on fake tensors."""

import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

ATEN = cast(Any, torch.ops.aten)
COPIES = (ATEN._to_copy.default, ATEN.copy_.default)
INDEXING = ("aten.index.", "aten.index_put", "aten._index_put")
INNER = ("torch/_", "torch/utils/_", __file__)
"""In the paths of files between a wait and who is to blame for it."""


class Waits(TorchDispatchMode):
    """Writes down each wait for the card as ``operation in file:function``, and answers it.

    A wait is a number or a copy asked of the card, a copy to the card that is not ``non_blocking``, an index that the
    card has to fetch from the host, a mask as an index, and ``bincount``. What else depends on values (``nonzero``,
    ``equal``) is an error of fake tensors, as are two tensors that do not lie on one device.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def take(self) -> list[str]:
        """Those since the last call."""
        taken, self.seen = self.seen, []
        return taken

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func.namespace != "aten":  # most often where a tensor lies
            return func(*args, **kwargs)
        if torch.is_inference_mode_enabled() and (made := self._by_parts(func, args, kwargs)) is not NotImplemented:
            return made
        given = tensors((args, kwargs))
        asked = any(item.is_cuda for item in given)
        if func is ATEN._local_scalar_dense.default:
            return self._number(func, given[0])
        if func is ATEN.bincount.default and asked:
            self._note(func)
            return given[0].new_zeros(args[2])
        out = func(*args, **kwargs)
        if asked and any(not item.is_cuda for item in tensors(out)):
            self._note(func)
            with unset_fake_temporarily():
                return torch.zeros(out.shape, dtype=out.dtype)
        if any(item.is_cuda for item in tensors(out)) and fetches(func, args, kwargs, given):
            self._note(func)
        return out

    def _by_parts(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """The result by way of the operations that this one is made of, which only inference does not show."""
        with self:
            return func.decompose(*args, **kwargs)

    def _number(self, func: Any, tensor: Tensor) -> bool | int | float:
        """True or 1, since most are counts of steps, by which is divided; 0 to GradScaler: no gradient is infinite."""
        if not isinstance(tensor, FakeTensor):
            with unset_fake_temporarily():
                return func(tensor)
        place = self._note(func) if tensor.is_cuda else ""
        number = 0.0 if "grad_scaler.py" in place else 1.0
        return number if tensor.is_floating_point() else tensor.dtype == torch.bool or int(number)

    def _note(self, func: object) -> str:
        frames = [frame for frame in traceback.extract_stack() if not any(part in frame.filename for part in INNER)]
        self.seen.append(f"{func} in {Path(frames[-1].filename).name}:{frames[-1].name}")
        return self.seen[-1]


def fetches(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], given: Sequence[Tensor]) -> bool:
    """Whether an operation of the card waits for something of the host's, or to know how many pixels a mask has."""
    from_host = any(not item.is_cuda for item in given)
    if func in COPIES:
        return from_host and not kwargs.get("non_blocking", args[2] if len(args) > 2 else False)
    if str(func).startswith(INDEXING):
        return from_host or any(item.dtype == torch.bool for item in tensors(args[1]))
    return False


def tensors(tree: object) -> list[Tensor]:
    return [item for item in tree_leaves(tree) if isinstance(item, Tensor)]
