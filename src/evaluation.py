"""Score a trained network: ``python -m src.evaluation model.checkpoint_path=PATH [evaluation.split=val]``.

The checkpoint knows its configuration; further overrides change what is evaluated (``data.root=...``).
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from src.config import Config, load_config, rejoin_lists
from src.errors import UserError, run_command


@dataclass(frozen=True)
class Scores:
    """A split's scores at the threshold that validation chose."""

    checkpoint: Path
    split: str
    epoch: int
    threshold: float
    metrics: dict[str, float]
    """``iou``, ``f1``, ``precision``, ``recall`` over all pixels of the split; ``iou_image``, the mean over images."""


def main(argv: list[str]) -> None:
    if not argv or "--help" in argv or "-h" in argv:
        print(__doc__)
        return
    overrides = rejoin_lists(argv)
    checkpoint = find_checkpoint(overrides)
    scores, config = evaluate(checkpoint, overrides)
    shown = {"iou_image", *config.evaluation.metrics}
    print(f"{checkpoint}: {scores.split} split, epoch {scores.epoch}, threshold {scores.threshold:.3f} of validation")
    for name, value in scores.metrics.items():
        if name in shown:
            print(f"{name:10} {value:.4f}")
    results = checkpoint.parent.parent / "results"
    results.mkdir(exist_ok=True)
    path = results / f"{scores.split}.json"
    path.write_text(json.dumps({"epoch": scores.epoch, "threshold": scores.threshold, **scores.metrics}, indent=2))
    print(path)


def find_checkpoint(overrides: Sequence[str]) -> Path:
    """The ``model.checkpoint_path`` of the overrides; without one this is a ``UserError``."""
    paths = [word.partition("=")[2] for word in overrides if word.startswith("model.checkpoint_path=")]
    if not paths:
        raise UserError("Which network? Add model.checkpoint_path=outputs/experiments/.../checkpoints/best_model.pth.")
    return Path(paths[-1])


def evaluate(checkpoint: Path, overrides: Sequence[str] = ()) -> tuple[Scores, Config]:
    """Rebuild the checkpoint's network and score ``evaluation.split`` with it, at the checkpoint's threshold."""
    from src.checkpoint import load_checkpoint  # torch: seconds to import, and --help needs none of it
    from src.data.loader import scoring_loader
    from src.device import choose_device, choose_precision, use_threads
    from src.metrics import BINS, scores_at
    from src.models.registry import build_model
    from src.training import load_weights, score

    payload = load_checkpoint(checkpoint)
    trained: list[str] = [word for word in payload["overrides"] if not word.startswith("training.resume_from=")]
    config = load_config([*trained, *overrides])
    use_threads(config)
    device = choose_device(config.device)
    # the weights come from the checkpoint: nothing is fetched for them
    encoder = config.model.encoder.model_copy(update={"pretrained": False})
    model, _ = build_model(config.model.model_copy(update={"encoder": encoder}), config.data.image_size)
    load_weights(model, payload["ema"] or payload["model"], checkpoint)
    dtype = choose_precision(config.training.mixed_precision, device)
    loader = scoring_loader(config.data, config.evaluation.split, device)
    _, histogram = score(model.to(device), loader, config.data, dtype)
    metrics = scores_at(histogram, round(payload["threshold"] * BINS))
    return Scores(checkpoint, config.evaluation.split, payload["epoch"], payload["threshold"], metrics), config


if __name__ == "__main__":
    sys.exit(run_command(main))
