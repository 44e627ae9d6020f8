"""The metrics that can be ranked by, and that one entry is enough for a new one."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.image_counts import ImageCounts
from src.config.compose import load_config
from src.config.keys import list_options
from src.errors import UserError
from src.rankable import RANKABLE, Rankable
from src.scoring.metrics import HALF, best_threshold, rankable_parts, rankable_scores, scores_at, validation_scores
from sweeps.spec import load_spec

HISTOGRAM = np.random.default_rng(0).integers(0, 50, (4, 2, 256))


def test_every_rankable_metric_has_its_option_and_no_option_is_left_over():
    options = {f"val/{name}" for name in list_options("training.metric")}
    assert options == {
        *RANKABLE,
        "val/loss",
    }, "configs/training/metric/NAME.yaml must hold monitor: val/NAME, mode: max"
    for metric in RANKABLE:
        chosen = load_config([f"training.metric={metric.removeprefix('val/')}"]).training.metric
        assert (chosen.monitor, chosen.mode) == (metric, "max")


@pytest.mark.parametrize("metric", RANKABLE)
def test_the_sums_of_the_images_parts_give_the_metric_of_the_epoch(metric: str):
    best = best_threshold(HISTOGRAM)
    part, whole = rankable_parts(metric, HISTOGRAM, best).sum(axis=0)
    assert part / whole == pytest.approx(validation_scores(HISTOGRAM)[metric])


@pytest.mark.parametrize(
    ("metric", "name", "number"),
    [
        ("val/iou_best", "iou", 90),
        ("val/iou", "iou", HALF),
        ("val/f1", "f1", HALF),
        ("val/iou_image", "iou_image", HALF),
    ],
)
def test_a_metric_is_at_its_own_threshold(metric: str, name: str, number: int):
    assert rankable_scores(HISTOGRAM, 90)[metric] == scores_at(HISTOGRAM, number)[name]


def test_a_new_metric_needs_one_entry(monkeypatch: pytest.MonkeyPatch):
    spec, new = load_spec("quickstart"), "val/specificity"
    with pytest.raises(UserError, match=new):
        replace(spec, metric=new)
    with pytest.raises(UserError, match=f"training.metric.monitor={new}"):
        load_config([f"training.metric.monitor={new}"])
    monkeypatch.setitem(RANKABLE, new, Rankable(lambda counts: (counts.tn, counts.tn + counts.fp)))
    assert replace(spec, metric=new).metric == new
    assert load_config([f"training.metric.monitor={new}"]).training.metric.monitor == new
    tn, fp = (HISTOGRAM[:, 0, half].sum() for half in (slice(0, HALF), slice(HALF, None)))
    assert validation_scores(HISTOGRAM)[new] == pytest.approx(tn / (tn + fp))
    names = ("a", "b", "c", "d")
    assert ImageCounts(HISTOGRAM, 90, names, names).parts(new).sum(axis=0) == pytest.approx([tn, tn + fp])
