"""Draws the confusion matrix and the precision-recall curve."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from src.scoring.metrics import FloatArray


def draw_confusion_matrix(matrix: Sequence[Sequence[int]], path: Path) -> None:
    """((tn, fp), (fn, tp)) in pixels, each cell with its share of its row, as PNG."""
    figure = Figure(figsize=(4.6, 3.8), layout="constrained")
    axes = figure.subplots()
    names = ("no crack", "crack")
    shares = [[cell / max(sum(row), 1) for cell in row] for row in matrix]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row in range(2):
        for column in range(2):
            text = f"{matrix[row][column]:,}\n{shares[row][column]:.1%}"
            colour = "white" if shares[row][column] > 0.6 else "black"
            axes.text(column, row, text, ha="center", va="center", color=colour)
    axes.set_xticks((0, 1), names)
    axes.set_yticks((0, 1), names, rotation=90, va="center")
    axes.set_xlabel("predicted")
    axes.set_ylabel("mask")
    axes.set_title("pixels, and share of the row")
    figure.savefig(path, dpi=150)


def draw_curve(precision: FloatArray, recall: FloatArray, chosen: int, ap: float, path: Path) -> None:
    """Precision over recall at 256 thresholds, with the chosen one marked, as PNG."""
    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(recall, precision, color="#0072b2", drawstyle="steps-post", label=f"AP {ap:.3f}")
    axes.plot(recall[chosen], precision[chosen], "o", color="#d55e00", label=f"threshold {chosen / len(recall):.3f}")
    axes.set(xlim=(0, 1.01), ylim=(0, 1.01), xlabel="recall", ylabel="precision", title="crack pixels")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    figure.savefig(path, dpi=150)
