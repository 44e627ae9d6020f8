"""What the figures of a sweep have in common."""

import pytest
from finished import FinishedSweep
from matplotlib.figure import Figure

from analysis.canvas import BEST, DEFAULT, NARROW, OTHER, WIDTH, canvas, colour_of, legend_above
from analysis.results import load_sweep


def test_the_best_and_the_default_have_colours_and_names_of_their_own(finished_sweep: FinishedSweep):
    sweep = load_sweep("tiny_sweep", finished_sweep.output_root)
    best = str(sweep.ranked["trial"].iloc[0])
    assert colour_of(sweep, best)[0] == BEST
    colours = {trial: colour_of(sweep, trial)[0] for trial in sweep.params if trial != best}
    assert {trial for trial, colour in colours.items() if colour == DEFAULT} == {sweep.default} - {best}
    assert all(colour == OTHER for trial, colour in colours.items() if trial != sweep.default)


@pytest.mark.parametrize(("width", "columns"), [(WIDTH, 2), (NARROW, 1)])
def test_the_legend_is_above_the_axes_in_as_many_columns_as_fit(width: float, columns: int):
    figure, axes = canvas("epoch", "IoU", width)
    assert isinstance(figure, Figure)
    for name in "ab":
        axes.plot([0, 1], [0, 1], label=name)
    legend_above(axes)
    legend = axes.get_legend()
    assert legend is not None
    assert legend._ncols == columns  # pyright: ignore[reportAttributeAccessIssue]
    figure.canvas.draw()
    assert legend.get_window_extent().y0 >= axes.get_window_extent().y1 - 1
