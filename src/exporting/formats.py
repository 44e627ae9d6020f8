"""The forms of an exported network, each a function that writes files into a folder and returns how to run them.

Exported graphs take normalised photographs, float32 (N, 3, H, W), and give probabilities of crack (N, 1, H, W).
"""

import logging
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from src.errors import UserError
from src.models.registry import STRIDE, unwrapped

Run = Callable[[Tensor], Tensor]
Size = tuple[int, int]

TOLERANCE = 1e-3
"""The largest difference of a probability between an exported network and the checkpoint."""
WINDOWED = "WindowAttention"
"""Swin transformers of timm: tracing them for any size takes torch more than a quarter of an hour."""
ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
EXAMPLES = 2
"""Images of the example that a graph is traced with: with one, their number would be fixed."""


@dataclass(frozen=True)
class Exported:
    """An exported network."""

    run: Run
    """Normalised images to probabilities, as the other software computes them."""
    any_size: bool
    """Whether it takes images of other sizes than tiles: multiples of ``STRIDE``."""


class Probabilities(nn.Module):
    """A network with its sigmoid, and without the padding of sizes that it does not take."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = unwrapped(network)

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images).sigmoid()


def traced(network: nn.Module, size: Size, any_size: bool) -> torch.export.ExportedProgram:
    """The graph of a network for any number of images, of any size or of this one."""
    dynamic = torch.export.Dim.DYNAMIC
    shapes = {0: dynamic, 2: dynamic, 3: dynamic} if any_size else {0: dynamic}
    example = torch.rand(EXAMPLES, 3, *size)
    with quiet():
        return torch.export.export(network, (example,), dynamic_shapes={"images": shapes}, strict=False)


def for_sizes(network: nn.Module, tile: Size, write: Callable[[torch.export.ExportedProgram], Run]) -> Exported:
    """The graph for any size if it computes what the network does at sizes that it was not traced with.

    Otherwise the graph for tiles alone: some architectures pool to grids that depend on the size, which a graph cannot.
    """
    portable = Probabilities(network).eval()
    height, width = tile
    windowed = any(type(module).__name__ == WINDOWED for module in network.modules())
    if height % STRIDE == 0 and width % STRIDE == 0 and not windowed:
        try:
            run = write(traced(portable, (height + STRIDE, width + 2 * STRIDE), any_size=True))
            if all(agree(run, portable, size) for size in (tile, (height + 2 * STRIDE, width + STRIDE))):
                return Exported(run, any_size=True)
        except Exception as error:  # torch.export and onnxruntime raise anything
            logging.getLogger(__name__).debug("not for any size: %s", error)
    return Exported(write(traced(portable, tile, any_size=False)), any_size=False)


@torch.inference_mode()
def agree(one: Run, other: Run, size: Size) -> bool:
    images = torch.rand(1, 3, *size)
    return float((one(images) - other(images)).abs().max()) <= TOLERANCE


def write_onnx(network: nn.Module, tile: Size, folder: Path) -> Exported:
    """``network.onnx``."""
    if missing := [name for name in ONNX_PACKAGES if find_spec(name) is None]:
        raise UserError(
            f"--format onnx: {' and '.join(missing)} is not installed: pip install {' '.join(ONNX_PACKAGES)}."
        )
    import onnxruntime

    path = folder / "network.onnx"

    def write(graph: torch.export.ExportedProgram) -> Run:
        with quiet():
            program = torch.onnx.export(
                graph, input_names=["images"], output_names=["probabilities"], dynamo=True, verbose=False
            )
        assert program is not None
        program.save(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 4  # what it cannot run is an error here
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return lambda images: torch.from_numpy(cast(Any, session.run(None, {"images": images.numpy()})[0]))

    return for_sizes(network, tile, write)


def write_torch(network: nn.Module, tile: Size, folder: Path) -> Exported:
    """``network.pt2``, for ``torch.export.load``."""
    path = folder / "network.pt2"

    def write(graph: torch.export.ExportedProgram) -> Run:
        torch.export.save(graph, path)
        return torch.export.load(path).module()

    return for_sizes(network, tile, write)


def write_hub(network: nn.Module, tile: Size, folder: Path) -> Exported:
    """``config.json`` and ``model.safetensors``, for ``from_pretrained`` of segmentation-models-pytorch."""
    import segmentation_models_pytorch as smp
    from segmentation_models_pytorch.base import SegmentationModel

    if not isinstance(network, SegmentationModel):
        raise UserError(
            "--format smp-hub: this network is not one of segmentation-models-pytorch; use onnx or torch-export."
        )
    cast(Any, unwrapped(network)).save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)  # its card says nothing of the training
    loaded: Any = smp.from_pretrained(str(folder))
    portable = Probabilities(loaded.eval())
    return Exported(portable, any_size=True)


FORMATS: dict[str, Callable[[nn.Module, Size, Path], Exported]] = {
    "onnx": write_onnx,
    "torch-export": write_torch,
    "smp-hub": write_hub,
}


@contextmanager
def quiet() -> Generator[None]:
    """Without what torch's exporters warn of and log."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.disable(before)
