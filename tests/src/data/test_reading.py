"""How the files of a data set are read."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from src.data.reading import Reading, choose_rules
from src.errors import UserError


def files(folder: Path, tops: list[int], cracks: list[int]) -> tuple[list[Path], list[Path]]:
    masks, photographs = list[Path](), list[Path]()
    for number, (top, crack) in enumerate(zip(tops, cracks, strict=True)):
        photographs.append(folder / f"{number}.png")
        cv2.imwrite(str(photographs[-1]), np.linspace(0, top, 256).reshape(16, 16).astype(np.uint16))
        masks.append(folder / f"m{number}.png")
        mask = np.zeros((16, 16), np.uint8)
        mask[number] = crack
        cv2.imwrite(str(masks[-1]), mask)
    return masks, photographs


def test_a_dark_photograph_is_read_by_the_rule_of_its_data_set(tmp_path: Path):
    masks, photographs = files(tmp_path, [4095, 900], [255, 255])
    reading = choose_rules(masks, photographs, 12)
    assert reading.image(photographs[1]).max() == 900 >> 4
    assert Reading().image(photographs[1]).max() == 900 >> 2
    assert reading.mask(masks[1]).sum() == 16


def test_a_data_set_of_two_meanings_or_of_an_unknown_depth_is_refused(tmp_path: Path):
    masks, photographs = files(tmp_path, [4095, 900], [1, 2])
    with pytest.raises(UserError, match="1 in 1, 2 in 1"):
        choose_rules(masks, photographs, 12)
    with pytest.raises(UserError, match=r"data\.bits=12"):
        choose_rules(masks[:1], photographs, None)
