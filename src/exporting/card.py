"""What one must know to use an exported network: ``network.json`` for programs, ``README.md`` for people."""

import json
from typing import Any, TypeVar

from src.exporting.formats import Exported
from src.models.registry import STRIDE
from src.provenance import digest, provenance
from src.scoring.inference import Network

T = TypeVar("T")

USE = {
    "onnx": "`python predict.py PHOTOGRAPH MASK.png` writes a mask; it needs onnxruntime, opencv and numpy.",
    "torch-export": '`torch.export.load("network.pt2").module()` is the network.',
    "smp-hub": '`segmentation_models_pytorch.from_pretrained("FOLDER")` is the network; it gives logits.',
}
CARD = """# {title}

It finds cracks in photographs of pavement: one probability a pixel.

- **Trained** at {tile} pixels, with the weights of epoch {epochs}; {parameters:.1f} million weights.
{scores}
- **Use**: {use}
- **Input**: RGB as float32, (images, 3, height, width), (value / 255 - mean) / std. {sizes}
- **Scale**: resize a photograph by {scale} (height, width) first; it is then as large as the network has seen them.
- **Crack** is where the probability is at least {threshold:.3f}, {origin}.

`network.json` has all of this for a program. Scores say nothing of roads, cameras and light that were not in the data.
"""


def about(network: Network, exported: Exported, kind: str, given: bool = False) -> dict[str, Any]:
    """The content of ``network.json``; plain types. ``given``: the threshold is the user's."""
    config, members = network.config, network.parts
    models = [member.config.model for member in members]
    return {
        "format": kind,
        "output": "logits" if kind == "smp-hub" else "probabilities",
        "tile": list(config.data.image_size),
        "any_multiple_of": STRIDE if exported.any_size else None,
        "mean": list(config.data.mean),
        "std": list(config.data.std),
        "scale": list(network.scale),
        "threshold": network.threshold,
        "threshold_from": "as it was chosen at the export" if given else "the best threshold on validation",
        "architecture": one_or_all([model.architecture for model in models]),
        "encoder": one_or_all([model.encoder.name for model in models]),
        "epoch": one_or_all([member.epoch for member in members]),
        "checkpoint": one_or_all([digest(member.checkpoint) for member in members]),
        "made_with": {name: value for name, value in provenance().items() if name in ("time", "commit", "packages")},
    }


def one_or_all(values: list[T]) -> T | list[T]:
    """The value of a network; of several networks whose mean is exported, a list of theirs."""
    return values[0] if len(values) == 1 else values


def card(network: Network, facts: dict[str, Any]) -> str:
    """The text of ``README.md``."""
    tile = "x".join(str(side) for side in facts["tile"])
    multiple = facts["any_multiple_of"]
    sizes = f"Sides are multiples of {multiple}." if multiple else f"The size is {tile}, no other."
    return CARD.format(
        title=title_of(network),
        tile=tile,
        scores="\n".join(scores_beside(network)),
        epochs=" and ".join(str(member.epoch) for member in network.parts),
        use=USE[facts["format"]],
        sizes=sizes,
        parameters=sum(weight.numel() for weight in network.model.parameters()) / 1e6,
        threshold=facts["threshold"],
        origin=facts["threshold_from"],
        scale=" and ".join(f"{factor:.4g}" for factor in facts["scale"]),
    )


def title_of(network: Network) -> str:
    members = network.parts
    kinds = {f"{one.config.model.architecture} with {one.config.model.encoder.name}": None for one in members}
    mean = f"the mean of {len(members)} networks, " if network.members else ""
    return f"Cracks by {mean}{' and '.join(kinds)}"


def scores_beside(network: Network) -> list[str]:
    """What the verdict of ``retrain-best`` says, or the last evaluation on the test split, where they are beside it.

    Of the mean of several networks, whose scores are not those of one, nothing.
    """
    lines: list[str] = []
    checkpoint = network.checkpoint.absolute()
    for folder in (checkpoint.parent, checkpoint.parents[2] if len(checkpoint.parents) > 2 else checkpoint.parent):
        if (path := folder / "verdict.json").is_file() and not network.members:
            lines += [f"- **Verdict**: {sentence}" for sentence in json.loads(path.read_text())["sentences"]]
            break
    path = checkpoint.parent.with_name("results") / "test" / "metrics.json"
    if path.is_file() and not network.members:
        iou = json.loads(path.read_text())["iou_at_validation_threshold"]
        lines.append(f"- **Test split**: IoU of crack {iou:.3f}.")
    return lines or ["- **Scores**: it was exported before it was scored on a test split."]
