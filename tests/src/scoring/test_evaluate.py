"""Scores of a split, against the same computed image by image."""

import numpy as np
import pytest
from networks import Redness, network_of

from src.errors import UserError
from src.scoring.evaluate import ScoredImage, evaluate, score_split

ALL = (
    "iou,f1,precision,recall,iou_image,miou_two_class,ap,ods,ois,f1_2px,f1_5px,cldice,cliou_4px"  # as the schema has it
)


def asked(tiny: list[str], *more: str) -> list[str]:
    return [*tiny, "evaluation.split=train", f"evaluation.metrics=[{ALL}]", *more]


def test_every_image_is_shown_once_with_its_prediction(tiny: list[str]):
    seen = list[ScoredImage]()
    network = network_of(Redness(), asked(tiny), threshold=0.25)
    scores = evaluate(network, seen.append)
    assert tuple(shown.stem for shown in seen) == scores.stems
    assert len(scores.stems) == len(scores.images) == 14
    for shown in seen:
        red = (shown.image[..., 0] / 255 - network.config.data.mean[0]) / network.config.data.std[0]
        np.testing.assert_array_equal(shown.predicted, 1 / (1 + np.exp(-4 * red)) >= 0.25)


def test_scores_over_the_split_count_all_pixels_together(tiny: list[str]):
    seen = list[ScoredImage]()
    scores = evaluate(network_of(Redness(), asked(tiny)), seen.append)
    predicted = np.stack([shown.predicted for shown in seen]).astype(bool)
    actual = np.stack([shown.actual for shown in seen]).astype(bool)
    both, either = (predicted & actual).sum(), (predicted | actual).sum()
    assert scores.metrics["iou"] == pytest.approx(both / either)
    assert scores.metrics["recall"] == pytest.approx(both / actual.sum())
    background = (~predicted & ~actual).sum() / (~(predicted & actual)).sum()
    assert scores.metrics["miou_two_class"] == pytest.approx((both / either + background) / 2)


def test_an_images_scores_are_those_of_a_split_of_it_alone(tiny: list[str]):
    seen = list[ScoredImage]()
    scores = evaluate(network_of(Redness(), asked(tiny)), seen.append)
    assert list(scores.metrics) == ALL.split(",")
    for shown, image in zip(seen, scores.images, strict=True):
        both, either = (shown.predicted & shown.actual).sum(), (shown.predicted | shown.actual).sum()
        assert image["iou"] == image["iou_image"] == pytest.approx(both / either if either else 1)
        assert image["ods"] == image["ois"]
    assert np.mean([image["iou"] for image in scores.images]) == pytest.approx(scores.metrics["iou_image"])
    assert np.mean([image["ois"] for image in scores.images]) == pytest.approx(scores.metrics["ois"])


def test_quarter_turns_of_images_that_are_not_square_are_refused(tiny: list[str]):
    with pytest.raises(UserError, match="not square"):
        evaluate(network_of(Redness(), [*tiny, "evaluation.tta=d4", "data.image_size=[32,64]"]))


def test_only_what_is_asked_for_is_computed(tiny: list[str]):
    scores = evaluate(network_of(Redness(), [*tiny, "evaluation.metrics=[cldice,iou]"]))
    assert list(scores.metrics) == ["cldice", "iou"]


def test_more_views_get_a_threshold_of_their_own_from_the_validation_split(tiny: list[str]):
    half = Redness(left_half=True)  # the mean over its views is half as sure
    alone = network_of(half, asked(tiny), threshold=0.9)
    assert evaluate(alone).threshold == round(0.9 * 256)
    views = network_of(half, asked(tiny, "evaluation.tta=flips"), threshold=0.9)
    chosen = evaluate(views).threshold
    assert chosen < 128
    candidates = [score_split(views, "val", threshold).metrics["iou"] for threshold in range(0, 256, 5)]
    assert score_split(views, "val", chosen).metrics["iou"] >= max(candidates)
