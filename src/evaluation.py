"""Score a trained network: ``python -m src.evaluation model.checkpoint_path=PATH [KEY=VALUE ...]``.

The checkpoint holds its configuration; further overrides change what is evaluated, and how:

    evaluation.split=val                    train | val | test
    evaluation.metrics=[iou,f1,cldice]      metrics; configs/evaluation/default.yaml lists them
    evaluation.save_predictions=true        masks, and overlays in three colours
    evaluation.save_confusion_matrix=true   as CSV and as a picture
    evaluation.tta=d4                       the mean over mirrored and turned views: none | flips | d4
    evaluation.resolution=native            whole photographs at their own size, as in src.predict
    data.root=DIR                           other photographs
    model.checkpoint_path=[A,B,C]           the mean of several networks' probabilities

The results replace those in results/SPLIT (SPLIT-TTA with tta, SPLIT-native) in the run's folder: metrics.json,
images.csv and worst.png, the worst image first, errors.csv with what is missed by the width of cracks,
precision_recall.csv and .png. Masks are compared at data.image_size, or at the photographs' own size with
resolution=native and for networks trained on crops; tolerances are in pixels of that size.
"""

import csv
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from src.atomic import replaced_results
from src.config.compose import load_config
from src.config.overrides import Overrides
from src.config.safe_yaml import PlainLoader
from src.errors import UserError, outlive_reader, run_command
from src.folders import refuse_irregular, user_path
from src.provenance import digest

if TYPE_CHECKING:  # torch: seconds to import, and --help needs none of it
    from src.measuring.worst import Judged
    from src.scoring.evaluate import OnImage, ScoredImage, Scores
    from src.scoring.inference import Network


CHECKPOINT_PATH = "model.checkpoint_path"
WRITTEN = (
    "metrics.json",
    "images.csv",
    "errors.csv",
    "worst.png",
    "precision_recall.csv",
    "precision_recall.png",
    "confusion_matrix.csv",
    "confusion_matrix.png",
    "masks",
    "overlays",
)
"""Files and folders of an evaluation. Those of an earlier one are removed, because it had other settings."""


def main(argv: list[str]) -> None:
    if not argv or "--help" in argv or "-h" in argv:
        print(__doc__)
        return
    outlive_reader()
    overrides = Overrides.parse(argv)
    checkpoints = find_checkpoints(overrides)
    load_config(overrides.at("evaluation"))  # the rest can be checked only with the network

    from src.measuring.errors import sum_of
    from src.measuring.worst import Judged, judge
    from src.scoring.ensemble import load_networks
    from src.scoring.evaluate import ScoredImage, evaluate

    network = load_networks(checkpoints, overrides.without(CHECKPOINT_PATH))
    wanted = network.config.evaluation
    folder = results_folder(network)
    with replaced_results(folder, WRITTEN) as partial:
        judged, save = list[Judged](), picture_writer(partial) if wanted.save_predictions else None

        def look(scored: ScoredImage) -> None:
            judged.append(judge(scored))
            if save:
                save(scored)

        scores = evaluate(network, look)
        write_scores(scores, network, partial)
        write_judged(scores, judged, partial)
    for name, value in about(scores, network).items():
        print(f"{name:28} {value:.4f}" if isinstance(value, float) else f"{name:28} {value}")
    print(sum_of([image.errors for image in judged]).sentence())
    print(f"{folder / 'worst.png'}  (the worst and the median images)")
    if wanted.save_predictions:
        from src.scoring.pictures import LEGEND

        print(f"{folder / 'overlays'}  ({LEGEND})")
    print(folder)


def find_checkpoints(overrides: Overrides) -> list[Path]:
    """The files of ``model.checkpoint_path``, which is one or a list; without one this is a ``UserError``."""
    text = overrides.get(CHECKPOINT_PATH) or ""
    is_list = text.startswith("[") and text.endswith("]")
    listed = list_of_words(text) if is_list else [text.strip("'\"")]
    if not all(listed) or not listed:
        raise UserError(
            f"{CHECKPOINT_PATH} is missing: set it to outputs/experiments/.../checkpoints/best_model.pth of a run, or "
            "to a list of such files for the mean of several networks."
        )
    checkpoints = [user_path(item) for item in listed]
    for checkpoint in checkpoints:
        refuse_irregular(checkpoint)
    return checkpoints


def list_of_words(text: str) -> list[str]:
    """``[a.pth, "b, c.pth"]`` as words; empty if it is no such list."""
    try:
        found = yaml.load(text, PlainLoader)
    except yaml.YAMLError:
        return []
    return found if all(isinstance(item, str) for item in found) else []


def results_folder(network: "Network") -> Path:
    """``results/SPLIT[-TTA][-native][-CHECKPOINT]`` in the run's folder, or beside a checkpoint outside of a run.

    The name of the checkpoint is left out for the best network of a run. The mean of several networks has a folder of
    its own in ``{output_root}/ensembles``, named by their content.
    """
    wanted, checkpoint = network.config.evaluation, network.checkpoint
    names = [wanted.split, *([wanted.tta] if wanted.tta != "none" else [])]
    names += ["native"] if wanted.resolution == "native" else []
    if network.members:
        contents = " ".join(sorted(digest(member.checkpoint) for member in network.members))
        name = hashlib.sha256(contents.encode()).hexdigest()[:12]
        return network.config.output_root / "ensembles" / name / "results" / "-".join(names)
    folder = checkpoint.resolve().parent
    in_run = folder.name == "checkpoints"
    names += [checkpoint.stem] if in_run and checkpoint.stem != "best_model" else []
    return (folder.parent if in_run else folder) / "results" / "-".join(names)


def about(scores: "Scores", network: "Network") -> dict[str, Any]:
    """The content of ``metrics.json``: the IoU at three thresholds, then ``evaluation.metrics``."""
    from src.scoring.metrics import BINS, HALF, best_threshold, scores_at

    wanted, members = network.config.evaluation, network.members
    oracle = best_threshold(scores.histogram)
    return {
        "checkpoint": [str(member.checkpoint) for member in members] if members else str(network.checkpoint),
        "epoch": [member.epoch for member in members] if members else network.epoch,
        "split": wanted.split,
        "images": len(scores.stems),
        "data_root": str(network.config.data.root),
        "image_size": "x".join(map(str, network.config.data.image_size)),
        "resolution": "native" if network.config.native else "image_size",
        "tta": wanted.tta,
        "threshold_of_validation": scores.threshold / BINS,
        "threshold_of_oracle": oracle / BINS,
        "iou_at_validation_threshold": scores_at(scores.histogram, scores.threshold)["iou"],
        "iou_at_0.5": scores_at(scores.histogram, HALF)["iou"],
        "iou_of_oracle": scores_at(scores.histogram, oracle)["iou"],
        **({} if scores.cleaned is None else {"iou_cleaned": scores.cleaned, "cleaning": str(network.cleaning)}),
        **scores.metrics,
    }


def write_scores(scores: "Scores", network: "Network", folder: Path) -> None:
    """Write metrics.json, the precision-recall curve and, if configured, the confusion matrix."""
    from src.scoring.charts import draw_confusion_matrix, draw_curve
    from src.scoring.metrics import BINS, curve, oracle_scores, threshold_counts

    (folder / "metrics.json").write_text(json.dumps(about(scores, network), indent=2))
    precision, recall = curve(scores.histogram)
    points = [[number / BINS, float(precision[number]), float(recall[number])] for number in range(BINS)]
    write_table(folder / "precision_recall.csv", ["threshold", "precision", "recall"], points)
    ap = oracle_scores(scores.histogram)["ap"]
    draw_curve(precision, recall, scores.threshold, ap, folder / "precision_recall.png")
    if network.config.evaluation.save_confusion_matrix:
        tp, fp, fn, tn = (int(count[scores.threshold]) for count in threshold_counts(scores.histogram.sum(axis=0)))
        rows = [["no crack", tn, fp], ["crack", fn, tp]]
        write_table(folder / "confusion_matrix.csv", ["mask", "predicted no crack", "predicted crack"], rows)
        draw_confusion_matrix(((tn, fp), (fn, tp)), folder / "confusion_matrix.png")


def write_judged(scores: "Scores", judged: "Sequence[Judged]", folder: Path) -> None:
    """Write images.csv, the worst image first, errors.csv with what is missed by width, and worst.png."""
    from src.measuring.errors import sum_of
    from src.measuring.worst import picture_of, worst_first
    from src.scoring.pictures import write_picture

    ordered = worst_first(judged)
    metrics = dict(zip(scores.stems, scores.images, strict=True))
    rows = [[image.stem, *metrics[image.stem].values(), *image.errors.row().values()] for image in ordered]
    write_table(folder / "images.csv", ["image", *scores.metrics, *ordered[0].errors.row()], rows)
    heads = ["crack_width_px", "length_px", "missed_length_px", "missed_share"]
    write_table(folder / "errors.csv", heads, sum_of([image.errors for image in ordered]).width_rows())
    write_picture(picture_of(ordered), folder / "worst.png")


def write_table(path: Path, names: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(rows)


def picture_writer(folder: Path) -> "OnImage":
    """A function that saves each image's predicted mask (0 and 255) and its overlay under the image's name."""
    from src.scoring.pictures import overlay, write_picture

    for name in ("masks", "overlays"):
        (folder / name).mkdir()

    def write(scored: "ScoredImage") -> None:
        write_picture(scored.predicted * 255, folder / "masks" / f"{scored.stem}.png")
        write_picture(
            overlay(scored.image, scored.predicted, scored.actual), folder / "overlays" / f"{scored.stem}.png"
        )

    return write


if __name__ == "__main__":
    sys.exit(run_command(main))
