"""Predictions of what a training needs on a graphics card: remembered, and held against a limit."""

from pathlib import Path
from typing import Any

import pytest
from slow_rest import slow_rest

from src.config.compose import load_config
from src.config.schema import Config
from src.errors import UserError
from src.models.device import MIB
from src.training import fake_step, memory
from src.training.memory import fitting_micro_batch, micro_batch_sizes, needed, predict_peak


@pytest.fixture
def own_cache(tiny: list[str], tmp_path: Path) -> list[str]:
    """Overrides with an empty cache."""
    return [*tiny, f"data.cache_dir={tmp_path / 'cache'}"]


@pytest.mark.parametrize(
    ("batch", "accumulate", "micro_batch", "sizes"),
    [(8, 1, 8, [8]), (8, 1, 4, [4, 4]), (8, 4, 8, [8, 8]), (7, 1, 3, [3, 2]), (6, 1, 4, [3, 3])],
)
def test_micro_batches_are_those_of_training(
    tiny: list[str], batch: int, accumulate: int, micro_batch: int, sizes: list[int]
):
    words = [f"data.batch_size={batch}", f"training.gradient_accumulation_steps={accumulate}"]
    assert micro_batch_sizes(load_config([*tiny, *words]), micro_batch) == sizes


def test_a_prediction_is_remembered(own_cache: list[str], monkeypatch: pytest.MonkeyPatch):
    config = load_config(own_cache)
    peak = predict_peak(config)
    monkeypatch.setattr(fake_step, "build_model", refuse)
    assert predict_peak(config) == peak
    (file,) = (config.data.cache_dir / "memory").iterdir()
    assert file.suffix == ".json"


def refuse(*_: Any) -> None:
    raise AssertionError("a network was built")


def test_numbers_that_change_no_tensor_share_a_prediction(own_cache: list[str], monkeypatch: pytest.MonkeyPatch):
    predict_peak(load_config(own_cache))
    monkeypatch.setattr(fake_step, "build_model", refuse)
    for same in (
        "training.optimizer.lr=0.1",
        "training.optimizer.weight_decay=0",
        "training.optimizer.encoder_lr_mult=0.1",
        "training.loss.dice.weight=0.1",
        "model.encoder.base_lr=0.1",
        "model.encoder.pretrained=auto",
        "training.lr_scheduler=poly",
        "training.optimizer.betas=[0.8,0.9]",
    ):
        predict_peak(load_config([*own_cache, same]))


@pytest.mark.parametrize(
    "other",
    slow_rest(
        [
            "model.encoder=mobilenet_v2",
            "data.image_size=[64,32]",
            "training.ema_decay=0.9",
            "training.gradient_accumulation_steps=2",
            "data.batch_size=2",
            "training.optimizer=lion",
            "training.optimizer.amsgrad=true",
            "training.loss=bce",
            "training.mixed_precision=false",
        ],
        4,
    ),
)
def test_what_changes_tensors_is_predicted_anew(own_cache: list[str], monkeypatch: pytest.MonkeyPatch, other: str):
    predict_peak(load_config(own_cache))
    monkeypatch.setattr(fake_step, "build_model", refuse)
    with pytest.raises(AssertionError, match="a network was built"):
        predict_peak(load_config([*own_cache, other]))


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"peak_mib": "12"}', '{"peak_mib": -1}', "\0"])
def test_a_damaged_file_is_made_anew(own_cache: list[str], content: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "peak_bytes", lambda *_: 7 * MIB)
    config = load_config(own_cache)
    predict_peak(config)
    (file,) = (config.data.cache_dir / "memory").iterdir()
    whole = file.read_text()
    file.write_text(content)
    assert predict_peak(config) == 7
    assert file.read_text() == whole


def test_a_cache_that_cannot_be_written_is_named(own_cache: list[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "peak_bytes", lambda *_: 7 * MIB)
    config = load_config(own_cache)
    config.data.cache_dir.parent.mkdir(exist_ok=True)
    config.data.cache_dir.write_text("a file")
    with pytest.raises(UserError, match=r"data\.cache_dir"):
        predict_peak(config)


@pytest.mark.parametrize(
    ("architecture", "limit", "fitting", "asked"),
    [
        ("unet", needed(1200), 12, [12]),
        ("unet", needed(1200) - 1, 6, [12, 6]),
        ("unet", needed(100), 1, [12, 6, 3, 1]),
        ("unet", needed(100) - 1, None, [12, 6, 3, 1]),
        ("pan", needed(300), 3, [12, 6, 3]),
        ("pan", needed(300) - 1, None, [12, 6, 3]),  # it cannot learn from single images
    ],
)
def test_batches_are_halved_until_they_fit_or_are_the_smallest(
    architecture: str, limit: int, fitting: int | None, asked: list[int], monkeypatch: pytest.MonkeyPatch
):
    sizes: list[int] = []

    def predict(config: Config, size: int) -> int:
        sizes.append(size)
        return 100 * size

    monkeypatch.setattr(memory, "predict_peak", predict)
    config = load_config([f"model=architectures/{architecture}", "data.batch_size=12"])
    assert fitting_micro_batch(config, limit) == fitting
    assert sizes == asked
