"""A trial in miniature."""

from collections.abc import Callable
from typing import Any

import pytest

from src.config.compose import load_config
from src.errors import UserError
from src.training.trainer import EpochReport, Trainer
from trainable import smoke_test
from trainable.smoke_test import measure_epoch, run_smoke_test


def test_numbers_that_change_no_network_share_a_step(tiny: list[str]):
    assert len(run_smoke_test([[*tiny, f"training.optimizer.lr={lr}"] for lr in (1e-4, 1e-3, 1e-2)])) == 1
    losses = [[*tiny, f"training.loss={loss}"] for loss in ("bce", "dice_bce", "dice_focal")]
    assert list(map(list, run_smoke_test([*losses, losses[0]]))) == losses


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("model.decoder.decoder_channels=[8,8]", "decoder_channels"),
        ("training.optimizer.name=sdg", "Unknown optimizer"),
        ("training.loss.dice.weight=-1", "greater than or equal to 0"),
        ("data.augmentation.HorizontalFlip.p=2", "HorizontalFlip"),
        ("model.decoder.decoder_attention_type=none", "none"),
        ("model.checkpoint_path=best_model.pth", "is for evaluation"),
        ("model.init_from=nowhere.pth", "no such file"),
        ("+data.augmentation.CenterCrop={height: 40, width: 40}", "CenterCrop|Crop size"),
    ],
)
def test_a_corner_that_cannot_be_trained_is_named_with_its_overrides(tiny: list[str], override: str, sentence: str):
    with pytest.raises(UserError, match=sentence) as raised:
        run_smoke_test([tiny, [*tiny, override]])
    assert override in str(raised.value)


def test_a_smoke_test_leaves_the_users_data_alone(tiny: list[str]):
    assert len(run_smoke_test([[*tiny, "data.root=/nowhere"]])) == 1


def test_an_epoch_is_measured_whole_if_it_is_short(tiny: list[str]):
    cost = measure_epoch(tiny)
    assert cost.seconds > 0
    assert cost.device == "cpu"
    parameters = sum(parameter.numel() for parameter in Trainer(load_config(tiny), tiny).model.parameters())
    assert cost.checkpoint_mib == pytest.approx(3 * 4 * parameters / 2**20)


def test_what_a_trial_writes_after_an_epoch_is_measured_and_the_first_epochs_surplus_told_apart(
    tiny: list[str], monkeypatch: pytest.MonkeyPatch
):
    now, epochs = 0.0, 0

    class Steady(Trainer):
        """Its first epoch takes 20 seconds, each later one 5, and a snapshot one."""

        def train_epoch(self, on_step: Callable[[int, int], None] | None = None) -> EpochReport:
            nonlocal now, epochs
            epochs += 1
            now += 20.0 if epochs == 1 else 5.0
            return EpochReport(epochs, {"val/iou_best": 0.5}, is_best=False)

        def snapshot(self) -> dict[str, Any]:
            nonlocal now
            now += 1.0
            return super().snapshot()

    monkeypatch.setattr(smoke_test, "Trainer", Steady)
    monkeypatch.setattr(smoke_test.time, "perf_counter", lambda: now)
    cost = measure_epoch(tiny, limit_seconds=60.0)
    assert (cost.seconds, cost.first_seconds) == (6.0, 14.0)
    before, epochs = epochs, 0
    assert before == 2
    assert measure_epoch(tiny, limit_seconds=30.0).seconds == 20.0  # no time for a second one
    assert not list(load_config(tiny).data.cache_dir.glob("tmp*"))


def test_a_long_epoch_is_extrapolated_from_its_steps_after_the_first(tiny: list[str], monkeypatch: pytest.MonkeyPatch):
    now = 0.0

    class SlowTrainer(Trainer):
        """Its first step takes 50 seconds, each later one 10."""

        def train_epoch(self, on_step: Callable[[int, int], None] | None = None) -> EpochReport:
            nonlocal now
            assert on_step is not None
            for step in range(1, 100):
                now += 50.0 if step == 1 else 10.0
                on_step(step, 100)
            raise AssertionError("it was to be interrupted")

    monkeypatch.setattr(smoke_test, "Trainer", SlowTrainer)
    monkeypatch.setattr(smoke_test.time, "perf_counter", lambda: now)
    cost = measure_epoch(tiny, limit_seconds=60.0)
    # 14 training images in 4 steps; 3 validation images that cost a third of a training image each
    assert cost.seconds == pytest.approx(10.0 * 4 * (1 + 3 / 14 / 3))


def test_what_a_card_cannot_do_is_refused_where_trials_are_to_have_one(tiny: list[str]):
    pspnet = [word for word in tiny if not word.startswith("model.")] + ["model=architectures/pspnet"]
    words = [*pspnet, "training.deterministic=true", "data.image_size=[64,64]"]
    assert len(run_smoke_test([words])) == 1
    with pytest.raises(UserError, match=r"training\.deterministic=true: pspnet"):
        run_smoke_test([words], on_card=True)
