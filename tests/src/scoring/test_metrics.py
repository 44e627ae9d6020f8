"""Metrics from one histogram: ``python -m pytest tests/src/scoring/test_metrics.py``."""

from typing import Any, cast

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from src.scoring.metrics import (
    BINS,
    HALF,
    METRICS,
    Int64Array,
    best_threshold,
    curve,
    iou,
    oracle_scores,
    probability_histogram,
    scores_at,
    threshold_counts,
    validation_scores,
)

smp_metrics = cast(Any, smp.metrics)  # smp types its arguments too narrowly
OF_SMP = {"iou": "iou_score", "f1": "f1_score", "precision": "precision", "recall": "recall"}


def batch(seed: int, images: int, share: float, skill: float, size: int = 12) -> tuple[Tensor, Tensor]:
    """Probabilities (N, 1, H, W) that know the masks to some degree; with ``share`` 0 or 1 all masks are alike."""
    rng = torch.Generator().manual_seed(seed)
    masks = (torch.rand(images, 1, size, size, generator=rng) < share).float()
    return ((1 - skill) * torch.rand(masks.shape, generator=rng) + skill * masks).clamp(0, 1), masks


def histogram(probs: Tensor, masks: Tensor) -> Int64Array:
    return probability_histogram(probs, masks).numpy()


batches = st.builds(
    batch,
    seed=st.integers(0, 2**32 - 1),
    images=st.integers(1, 5),
    share=st.sampled_from([0.0, 0.02, 0.3, 1.0]),
    skill=st.sampled_from([0.0, 0.4, 1.0]),
)


@settings(deadline=None, max_examples=50)
@given(batch=batches, threshold=st.sampled_from([1, 64, HALF, 200, 255]))
def test_counts_and_scores_are_those_of_smp_at_every_threshold(batch: tuple[Tensor, Tensor], threshold: int) -> None:
    probs, masks = batch
    found = histogram(probs, masks)
    stats = smp_metrics.get_stats(probs, masks.long(), mode="binary", threshold=threshold / BINS)
    for ours, theirs in zip(threshold_counts(found), stats, strict=True):
        assert ours[:, threshold].tolist() == theirs.flatten().tolist()
    scores = scores_at(found, threshold)
    for name, of_smp in OF_SMP.items():
        expected = getattr(smp_metrics, of_smp)(*stats, reduction="macro", zero_division=1.0)  # of one class
        assert scores[name] == pytest.approx(float(expected), abs=1e-6)
    predicted = probs >= threshold / BINS
    both = smp_metrics.get_stats(predicted.long(), masks.long(), mode="multiclass", num_classes=2)
    means = smp_metrics.iou_score(*(stat.sum(0, keepdim=True) for stat in both), reduction="macro", zero_division=1.0)
    assert scores["miou_two_class"] == pytest.approx(float(means), abs=1e-6)
    imagewise = smp_metrics.iou_score(*stats, reduction="micro-imagewise", zero_division=1.0)
    assert scores["iou_image"] == pytest.approx(float(imagewise), abs=1e-6)


def test_at_threshold_0_every_pixel_is_crack() -> None:
    probs, masks = batch(0, 3, 0.3, 0.0)
    counts = threshold_counts(histogram(probs, masks))
    assert not counts.fn[:, 0].any()
    assert not counts.tn[:, 0].any()


def test_a_probability_on_the_threshold_is_crack_and_one_below_it_is_not() -> None:
    below = float(np.nextafter(np.float32(0.5), np.float32(0)))
    probs, masks = torch.tensor([0.5, below]).view(2, 1, 1, 1), torch.ones(2, 1, 1, 1)
    counts = threshold_counts(histogram(probs, masks))
    assert counts.tp[:, HALF].tolist() == [1, 0]
    assert HALF / BINS == 0.5


def test_every_probability_falls_into_a_bin_0_and_1_included() -> None:
    probs = torch.tensor([0.0, 1 / 256, 0.9999999, 1.0]).view(1, 1, 2, 2)
    found = histogram(probs, torch.zeros(1, 1, 2, 2))
    assert (found.shape, found.dtype) == ((1, 2, BINS), np.int64)
    assert {bin: count for bin, count in enumerate(found[0, 0].tolist()) if count} == {0: 1, 1: 1, 255: 2}
    assert not found[0, 1].any()


def test_half_precision_probabilities_are_counted_too() -> None:
    probs, masks = batch(0, 2, 0.3, 0.4)
    assert probability_histogram(probs.bfloat16(), masks).sum() == probs.numel()


@settings(deadline=None, max_examples=30)
@given(one=batches, two=batches)
def test_the_counts_of_two_batches_add_up_to_those_of_both(
    one: tuple[Tensor, Tensor], two: tuple[Tensor, Tensor]
) -> None:
    both = histogram(torch.cat([one[0], two[0]]), torch.cat([one[1], two[1]]))
    apart = [histogram(*one), histogram(*two)]
    assert np.array_equal(both, np.concatenate(apart))
    together = threshold_counts(both.sum(axis=0))
    for total, *parts in zip(together, *(threshold_counts(part.sum(axis=0)) for part in apart), strict=True):
        assert np.array_equal(total, sum(parts))


@settings(deadline=None, max_examples=50)
@given(batch=batches)
def test_counts_at_each_threshold_hold_every_pixel_once(batch: tuple[Tensor, Tensor]) -> None:
    probs, masks = batch
    counts = threshold_counts(histogram(probs, masks))
    assert (counts.tp + counts.fp + counts.fn + counts.tn == probs[0].numel()).all()
    assert (counts.tp + counts.fn == masks.sum(dim=(1, 2, 3)).long().numpy()[:, None]).all()
    assert all((count >= 0).all() for count in counts)
    assert (np.diff(counts.tp) <= 0).all()
    assert (np.diff(counts.fp) <= 0).all()


@settings(deadline=None, max_examples=50)
@given(batch=batches)
def test_the_scores_lie_in_order_and_between_0_and_1(batch: tuple[Tensor, Tensor]) -> None:
    scores = scores_at(histogram(*batch), HALF)
    assert all(0 <= score <= 1 for score in scores.values())
    assert scores["iou"] <= scores["f1"]
    assert scores["f1"] == pytest.approx(2 * scores["iou"] / (1 + scores["iou"]))


@settings(deadline=None, max_examples=50)
@given(batch=batches)
def test_no_threshold_is_better_than_the_best_and_no_better_one_is_nearer_to_a_half(
    batch: tuple[Tensor, Tensor],
) -> None:
    found = histogram(*batch)
    scores = [scores_at(found, number)["iou"] for number in range(BINS)]
    best = best_threshold(found)
    assert scores[best] == max(scores)
    assert all(abs(number - HALF) >= abs(best - HALF) for number in range(BINS) if scores[number] == max(scores))


def test_the_best_threshold_follows_a_network_that_is_too_shy() -> None:
    masks = torch.zeros(1, 1, 4, 4)
    masks[..., 0] = 1
    scores = validation_scores(histogram(masks * 0.25 + 0.05, masks))
    assert scores["val/iou"] == 0
    assert scores["val/iou_best"] == 1
    assert 0.05 < scores["val/threshold"] <= 0.3
    assert scores["val/threshold"] == 76 / 256  # the nearest to 0.5 of those between 0.05 and 0.30


def test_an_empty_image_that_is_left_empty_scores_1_and_a_false_alarm_in_it_0() -> None:
    masks = torch.zeros(2, 1, 4, 4)
    probs = torch.full(masks.shape, 0.1)
    assert scores_at(histogram(probs, masks), HALF) == {
        "iou": 1.0, "f1": 1.0, "precision": 1.0, "recall": 1.0, "miou_two_class": 1.0, "iou_image": 1.0
    }  # fmt: skip
    probs[1, 0, 0, 0] = 0.9
    scores = scores_at(histogram(probs, masks), HALF)
    assert (scores["iou"], scores["precision"], scores["recall"], scores["iou_image"]) == (0.0, 0.0, 1.0, 0.5)


def test_the_data_set_score_counts_pixels_and_the_image_score_counts_images() -> None:
    masks = torch.zeros(2, 1, 10, 10)
    masks[0], masks[1, 0, 0, 0] = 1, 1
    probs = masks.clone()
    probs[1, 0, 0, 0] = 0  # the one crack pixel of the second image is missed
    scores = scores_at(histogram(probs, masks), HALF)
    assert scores["iou"] == pytest.approx(100 / 101)
    assert scores["iou_image"] == 0.5


def test_validation_scores_are_those_at_0_5_and_those_to_rank_by() -> None:
    scores = validation_scores(histogram(*batch(0, 3, 0.3, 0.4)))
    assert set(scores) == {f"val/{name}" for name in (*METRICS, "iou_image", "iou_best", "threshold")}
    assert scores["val/iou_best"] >= scores["val/iou"]


def test_a_histogram_of_one_split_and_of_its_images_have_the_same_counts() -> None:
    found = histogram(*batch(0, 4, 0.3, 0.4))
    summed = threshold_counts(found.sum(axis=0))
    assert np.array_equal(summed.tp, threshold_counts(found).tp.sum(axis=0))
    assert iou(summed).shape == (BINS,)


@settings(deadline=None, max_examples=30)
@given(batch=batches)
def test_no_threshold_of_all_images_beats_ods_and_no_thresholds_of_each_beat_ois(batch: tuple[Tensor, Tensor]) -> None:
    found = histogram(*batch)
    oracle = oracle_scores(found)
    assert oracle["ods"] == max(scores_at(found, number)["f1"] for number in range(BINS))
    alone = [max(scores_at(found[[image]], number)["f1"] for number in range(BINS)) for image in range(len(found))]
    assert oracle["ois"] == pytest.approx(np.mean(alone))


def test_ap_is_the_area_under_precision_over_recall() -> None:
    # from the surest pixel on: right, wrong, right, wrong; so precision 1 up to recall 1/2, and 2/3 from there to 1
    probs = torch.tensor([0.9, 0.8, 0.7, 0.6]).view(1, 1, 2, 2)
    masks = torch.tensor([1.0, 0.0, 1.0, 0.0]).view(1, 1, 2, 2)
    assert oracle_scores(histogram(probs, masks))["ap"] == pytest.approx(1 / 2 + 2 / 3 / 2)
    assert oracle_scores(histogram(masks, masks))["ap"] == 1
    base_rate = oracle_scores(histogram(torch.full((1, 1, 2, 2), 0.3), masks))["ap"]
    assert base_rate == pytest.approx(0.5)


@settings(deadline=None, max_examples=20)
@given(batch=batches)
def test_ap_sums_precision_over_the_steps_of_recall_at_every_threshold(batch: tuple[Tensor, Tensor]) -> None:
    probs, masks = batch
    at = [scores_at(histogram(probs, masks), number) for number in range(BINS)]
    falls = [here["recall"] - there for here, there in zip(at, [*(one["recall"] for one in at[1:]), 0.0], strict=True)]
    expected = sum(fall * one["precision"] for fall, one in zip(falls, at, strict=True))
    assert oracle_scores(histogram(probs, masks))["ap"] == pytest.approx(expected)


def test_a_curve_runs_from_everything_to_the_surest() -> None:
    precisions, recalls = curve(histogram(*batch(0, 3, 0.3, 0.4)))
    assert precisions.shape == recalls.shape == (BINS,)
    assert recalls[0] == 1
    assert (np.diff(recalls) <= 0).all()
