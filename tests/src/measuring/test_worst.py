"""The worst images of a split."""

import numpy as np

from src.measuring.worst import SHOWN, judge, picture_of, worst_first
from src.scoring.evaluate import ScoredImage


def scored(stem: str, hits: int) -> ScoredImage:
    actual = np.zeros((40, 60), np.uint8)
    actual[20, :20] = 1
    predicted = np.zeros_like(actual)
    predicted[20, :hits] = 1
    return ScoredImage(stem, np.full((40, 60, 3), 90, np.uint8), actual, predicted, np.zeros((2, 256), np.int64))


def test_images_are_sorted_by_their_iou_and_their_photographs_stay_as_they_were():
    images = [scored(f"i{hits}", hits) for hits in (20, 0, 10)]
    judged = worst_first([judge(image) for image in images])
    assert [(image.stem, image.iou) for image in judged] == [("i0", 0), ("i10", 0.5), ("i20", 1)]
    assert all((image.image == 90).all() for image in images)


def test_the_picture_has_the_worst_and_the_median_images():
    for count in (1, SHOWN, 40):
        judged = worst_first([judge(scored(f"i{number:02}", number % 21)) for number in range(count)])
        one, all_ = picture_of(judged[:1]), picture_of(judged)
        assert all_.shape[0] == min(count, SHOWN) * one.shape[0]
        assert all_.shape[1] == (1 + (count > SHOWN)) * one.shape[1]


def test_without_any_crack_an_empty_prediction_is_right():
    empty = scored("a", 0)
    empty.actual[:] = 0
    assert judge(empty).iou == 1
