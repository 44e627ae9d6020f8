"""The training loop on a tiny network and tiny images."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from src.config.compose import load_config
from src.errors import UserError
from src.models.checkpoint import load_checkpoint
from src.scoring.inference import load_network, to_network
from src.training.trainer import Diverged, Trainer

Weights = dict[str, Tensor]


def trainer(tiny: list[str], *more: str) -> Trainer:
    overrides = [*tiny, *more]
    return Trainer(load_config(overrides), overrides)


def weights(model: nn.Module) -> Weights:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(left: Weights, right: Weights) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_an_epoch_reports_every_metric_key(tiny: list[str]):
    report = trainer(tiny).train_epoch()
    assert report.epoch == 1
    assert report.is_best
    scores = {"val/loss", "val/iou", "val/iou_best", "val/threshold", "val/f1", "val/precision", "val/recall"}
    assert {
        "train/loss",
        "lr",
        "epoch_seconds",
        "images_per_second",
        "val/iou_image",
        "val/miou_two_class",
        *scores,
    } == report.metrics.keys()
    assert report.metrics["val/iou_best"] >= report.metrics["val/iou"]


def test_the_same_overrides_give_the_same_weights_bit_for_bit(tiny: list[str]):
    first, second = trainer(tiny), trainer(tiny)
    for one in (first, second):
        one.train_epoch()
    assert same(weights(first.model), weights(second.model))


def test_another_seed_and_another_learning_rate_give_other_weights(tiny: list[str]):
    found: list[Weights] = []
    for more in ("seed=42", "seed=43", "training.optimizer.lr=0.01", "training.optimizer.lr=0.02"):
        one = trainer(tiny, more)
        one.train_epoch()
        found.append(weights(one.model))
    assert not any(same(left, right) for number, left in enumerate(found) for right in found[:number])


def test_the_number_of_loader_workers_does_not_change_the_weights(tiny: list[str]):
    alone, beside = trainer(tiny, "data.num_workers=0"), trainer(tiny, "data.num_workers=2")
    for one in (alone, beside):
        one.train_epoch()
        one.train_epoch()
    assert same(weights(alone.model), weights(beside.model))


@pytest.mark.parametrize(
    "more",
    [[], ["training.ema_decay=0.9"], pytest.param(["training.mixed_precision=fp16"], marks=pytest.mark.slow)],
)
def test_an_interrupted_run_goes_on_bit_for_bit(tiny: list[str], tmp_path: Path, more: list[str]):
    whole = trainer(tiny, "training.epochs=3", *more)
    reports = [whole.train_epoch() for _ in range(3)]
    part = trainer(tiny, "training.epochs=3", *more)
    part.train_epoch()
    part.save(tmp_path / "last.pth")
    torch.rand(7)  # another process draws other numbers
    resumed = trainer(tiny, "training.epochs=3", *more, f"training.resume_from={tmp_path / 'last.pth'}")
    again = [resumed.train_epoch() for _ in range(2)]
    assert [report.epoch for report in again] == [2, 3]
    assert again[-1].metrics["val/iou_best"] == reports[-1].metrics["val/iou_best"]
    assert again[-1].metrics["lr"] == reports[-1].metrics["lr"]
    assert same(weights(whole.model), weights(resumed.model))
    assert same(weights(whole.scored_model), weights(resumed.scored_model))
    assert (resumed.best_epoch, resumed.best_score, resumed.threshold) == (
        whole.best_epoch,
        whole.best_score,
        whole.threshold,
    )


def test_a_checkpoint_of_another_network_or_of_other_data_is_refused(tiny: list[str], tmp_path: Path, tiny_data: Path):
    trainer(tiny).save(tmp_path / "last.pth")
    resume = f"training.resume_from={tmp_path / 'last.pth'}"
    with pytest.raises(UserError, match="weights of another network"):
        trainer(tiny, "model.decoder.decoder_channels=[32,32,16,16,8]", resume)
    (tmp_path / "data").mkdir()
    for split in ("train", "val", "test"):
        (tmp_path / "data" / split).symlink_to(tiny_data / ("val" if split == "train" else split))
    with pytest.raises(UserError, match="trained on other data"):
        trainer(tiny, f"data.root={tmp_path / 'data'}", resume)


class NoBatchNorm(nn.Module):
    """A network whose gradient is a sum over images, so that accumulation can be compared exactly."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        return self.conv(images)


@pytest.mark.parametrize("size", [8, 7, 5])
def test_accumulated_gradients_equal_those_of_the_whole_batch(tiny: list[str], size: int):
    gradients: list[Tensor] = []
    for micro, steps in ((8, 1), (4, 2), (2, 4), (1, 8)):
        words = ["data.image_size=[48,48]", f"data.batch_size={micro}"]  # in smaller ones batch norm wants two
        one = trainer(tiny, *words, f"training.gradient_accumulation_steps={steps}")
        torch.manual_seed(0)
        one.model = NoBatchNorm()
        one.optimizer = torch.optim.SGD(one.model.parameters(), lr=1.0)
        before = one.model.conv.weight.detach().clone()
        images = torch.randint(0, 256, (size, 16, 16, 3), dtype=torch.uint8)
        masks = (torch.rand(size, 16, 16) > 0.8).to(torch.uint8)
        one._train_step(images, masks)
        gradients.append(before - one.model.conv.weight.detach())
    for other in gradients[1:]:
        torch.testing.assert_close(other, gradients[0], rtol=1e-4, atol=1e-6)


def test_gradients_are_clipped_to_the_norm(tiny: list[str]):
    one = trainer(tiny, "training.clip_grad_norm=0.001", "training.optimizer=sgd", "training.optimizer.lr=1")
    norms: list[float] = []
    step = one.scaler.step

    def watch(optimizer: torch.optim.Optimizer) -> float | None:
        gradients = [value.grad for value in one.model.parameters() if value.grad is not None]
        norms.append(float(torch.stack([gradient.norm() for gradient in gradients]).norm()))
        return step(optimizer)

    one.scaler.step = watch  # type: ignore[method-assign]
    one.train_epoch()
    assert norms
    assert max(norms) <= 0.001 * 1.001


@pytest.mark.parametrize("precision", ["bf16", "fp16", "true"])
def test_mixed_precision_runs_on_a_cpu(tiny: list[str], precision: str):
    one = trainer(tiny, f"training.mixed_precision={precision}")
    report = one.train_epoch()
    assert math.isfinite(report.metrics["train/loss"])
    assert one.scaler.is_enabled() == (precision == "fp16")


def test_images_are_normalised_on_the_device(tiny: list[str]):
    data = load_config(tiny).data
    images = torch.full((1, 4, 4, 3), 255, dtype=torch.uint8)
    inputs, targets = to_network(images, torch.ones(1, 4, 4, dtype=torch.uint8), data, nn.Conv2d(3, 1, 3))
    white = [(1 - mean) / std for mean, std in zip(data.mean, data.std, strict=True)]
    torch.testing.assert_close(inputs[0, :, 0, 0], torch.tensor(white))
    assert inputs.shape == (1, 3, 4, 4)
    assert targets.shape == (1, 1, 4, 4)


def test_early_stopping_counts_epochs_since_the_best(tiny: list[str], monkeypatch: pytest.MonkeyPatch):
    one = trainer(tiny, "training.early_stopping_patience=2", "training.epochs=50")
    scores = iter([0.1, 0.3, 0.2, 0.3, 0.9])

    def falling(_: object) -> dict[str, float]:
        return {"val/iou_best": next(scores), "val/threshold": 0.5}

    monkeypatch.setattr("src.training.trainer.validation_scores", falling)
    while not one.finished:
        one.train_epoch()
    assert (one.epoch, one.best_epoch, one.best_score) == (4, 2, 0.3)


def test_the_monitored_loss_is_minimised(tiny: list[str]):
    one = trainer(tiny, "training.metric=loss")
    losses = [one.train_epoch().metrics["val/loss"] for _ in range(2)]
    assert -one.best_score == min(losses)


def test_a_loss_that_is_not_finite_ends_the_training(tiny: list[str]):
    with pytest.raises(Diverged, match="train/loss=nan"):
        trainer(tiny, "training.optimizer=sgd", "training.optimizer.lr=1e30").train_epoch()


def test_validation_uses_the_averaged_weights(tiny: list[str]):
    one = trainer(tiny, "training.ema_decay=0.99")
    one.train_epoch()
    assert one.scored_model is not one.model
    assert not same(weights(one.scored_model), weights(one.model))


def test_progress_is_told_after_each_step(tiny: list[str]):
    seen: list[tuple[int, int]] = []
    told: Callable[[int, int], None] = lambda done, total: seen.append((done, total))  # noqa: E731
    trainer(tiny).train_epoch(told)
    assert seen == [(done, 4) for done in range(1, 5)]


def test_settings_given_anew_count_when_a_run_goes_on(tiny: list[str], tmp_path: Path):
    before = trainer(tiny)
    before.train_epoch()
    before.save(tmp_path / "last.pth")
    resume = f"training.resume_from={tmp_path / 'last.pth'}"
    other = trainer(tiny, resume, "training.optimizer.weight_decay=0.5", "training.metric=loss")
    assert 0.5 in {group["weight_decay"] for group in other.optimizer.param_groups}
    assert (other.epoch, other.best_epoch, other.best_score) == (1, 0, -math.inf)
    averaged = trainer(tiny, resume, "training.ema_decay=0.9")
    assert same(weights(averaged.scored_model), weights(before.model))
    assert trainer(tiny, resume, "training.mixed_precision=fp16").epoch == 1


@pytest.mark.parametrize(("before", "after"), [("true", "false"), ("false", "true")])
def test_a_run_that_stepped_on_a_card_goes_on_without_one_and_the_other_way_round(
    tiny: list[str], tmp_path: Path, before: str, after: str
):
    """A card steps all weights at once, which wants its counters beside the weights. ``fused`` does so on a CPU too."""
    adamw = ("training/optimizer=timm", "training.optimizer.name=adamw", "+training.optimizer.kwargs.fused={}")
    first = trainer(tiny, *adamw[:2], adamw[2].format(before))
    first.train_epoch()
    first.save(tmp_path / "last.pth")
    other = trainer(tiny, *adamw[:2], adamw[2].format(after), f"training.resume_from={tmp_path / 'last.pth'}")
    other.train_epoch()
    assert {group["fused"] for group in other.optimizer.param_groups} == {after == "true"}
    assert {float(state["step"]) for state in other.optimizer.state.values()} == {2.0 * len(other.train_loader)}


@pytest.mark.parametrize(
    ("before", "after"),
    [(torch.channels_last, torch.contiguous_format), (torch.contiguous_format, torch.channels_last)],
    ids=str,
)
def test_a_run_goes_on_though_its_network_has_another_memory_order(
    tiny: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: torch.memory_format,
    after: torch.memory_format,
):
    losses: list[float] = []
    for later in (before, after):
        monkeypatch.setattr("src.training.trainer.choose_layout", lambda *_: before)
        one = trainer(tiny)
        one.train_epoch()
        one.save(tmp_path / "last.pth")
        monkeypatch.setattr("src.training.trainer.choose_layout", lambda *_, order=later: order)
        other = trainer(tiny, f"training.resume_from={tmp_path / 'last.pth'}")
        for weight, kept in other.optimizer.state.items():
            assert all(item.stride() == weight.stride() for item in kept.values() if item.shape == weight.shape)
        losses.append(other.train_epoch().metrics["train/loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_a_checkpoint_holds_the_threshold_of_its_own_epoch(
    tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    found = iter([(0.5, 0.9), (0.4, 0.2)])
    monkeypatch.setattr(
        "src.training.trainer.validation_scores",
        lambda _: dict(zip(("val/iou_best", "val/threshold"), next(found), strict=True)),
    )
    one = trainer(tiny)
    for threshold in (0.9, 0.2):
        one.train_epoch()
        one.save(tmp_path / "last.pth")
        assert load_checkpoint(tmp_path / "last.pth")["threshold"] == threshold
    assert one.best_epoch == 1


def run_out_of_memory(one: Trainer, above: int) -> list[int]:
    """Let forward passes of more than ``above`` images fail half-way; returns the sizes that are asked for."""
    forward, asked = one.model.forward, list[int]()

    def limited(images: Tensor) -> Tensor:
        asked.append(len(images))
        logits = forward(images)  # batch norm has seen the images, dropout has drawn
        if len(images) > above:
            raise torch.OutOfMemoryError("no room")
        return logits

    one.model.forward = limited  # type: ignore[method-assign]
    return asked


@pytest.mark.parametrize("network", [[], ["model=architectures/swin_unet", "model.encoder.embed_dim=16"]], ids=str)
def test_after_out_of_memory_it_is_as_if_the_micro_batch_had_been_small_from_the_start(
    tiny: list[str], network: list[str], caplog: pytest.LogCaptureFixture
):
    own = [word for word in tiny if not (network and word.startswith("model."))]
    healed = trainer(own, *network, "data.batch_size=4", "training.gradient_accumulation_steps=2")
    asked = run_out_of_memory(healed, above=2)
    report = healed.train_epoch()
    assert asked[:2] == [4, 2]
    assert max(asked[1:-3]) == 2
    assert asked[-3:] == [3, 2, 1]  # validation, by its own
    assert (healed.micro_batch.size, report.metrics["micro_batch"]) == (2, 2.0)
    small = trainer(own, *network, "data.batch_size=2", "training.gradient_accumulation_steps=4")
    assert small.train_epoch().metrics["train/loss"] == report.metrics["train/loss"]
    found, expected = (
        {name: value for name, value in weights(one.model).items() if not name.endswith("num_batches_tracked")}
        for one in (healed, small)
    )
    assert same(found, expected)
    assert "micro-batches of 2" in caplog.text


def test_a_validation_that_ran_out_of_memory_leaves_the_trainings_batches_whole(tiny: list[str]):
    one = trainer(tiny)
    forward = one.model.forward

    def limited(images: Tensor) -> Tensor:
        if torch.is_inference_mode_enabled() and len(images) > 1:
            raise torch.OutOfMemoryError("no room")
        return forward(images)

    one.model.forward = limited  # type: ignore[method-assign]
    metrics = one.train_epoch().metrics
    assert (one.micro_batch.size, one.validation.micro_batch.size) == (4, 1)
    assert "micro_batch" not in metrics


@pytest.mark.parametrize(("overflows", "sound"), [([0], True), ([0, 1], False)])  # of the epoch's four steps
def test_steps_that_overflow_are_left_out_of_the_loss_unless_they_are_half_of_the_epoch(
    tiny: list[str], overflows: list[int], sound: bool
):
    one = trainer(tiny)
    steps = iter(range(4))
    losses = [1.0, 2.0, 3.0, 4.0]

    def step(images: Tensor, masks: Tensor) -> Tensor:
        number = next(steps)
        return torch.tensor(math.inf if number in overflows else losses[number])

    one._train_step = step  # type: ignore[method-assign]
    if sound:  # batches of 4, 4, 4 and 2 images
        assert one.train_epoch().metrics["train/loss"] == pytest.approx((2 * 4 + 3 * 4 + 4 * 2) / 10)
    else:
        with pytest.raises(Diverged, match="epoch 1: train/loss=nan"):
            one.train_epoch()


@pytest.mark.parametrize(("precision", "tf32"), [("false", False), ("bf16", True)])
def test_training_and_prediction_use_tf32_beside_autocast_alone(
    tiny: list[str], tmp_path: Path, precision: str, tf32: bool
):
    one = trainer(tiny, f"training.mixed_precision={precision}")
    assert torch.backends.cudnn.allow_tf32 == tf32
    one.save(tmp_path / "last.pth")
    torch.backends.cudnn.allow_tf32 = not tf32
    load_network(tmp_path / "last.pth")
    assert torch.backends.cudnn.allow_tf32 == tf32


def test_a_snapshot_does_not_change_while_the_training_goes_on(tiny: list[str]):
    one = trainer(tiny, "training.ema_decay=0.9")
    one.train_epoch()
    kept = one.snapshot()
    before = {name: value.clone() for name, value in kept["model"].items()}
    moments = [state["exp_avg"].clone() for state in kept["optimizer"]["state"].values()]
    one.train_epoch()
    assert same(kept["model"], before)
    for state, moment in zip(kept["optimizer"]["state"].values(), moments, strict=True):
        assert torch.equal(state["exp_avg"], moment)
    assert not same(weights(one.model), before)


def test_a_compiled_network_keeps_the_names_of_its_weights(tiny: list[str], monkeypatch: pytest.MonkeyPatch):
    compiled: list[nn.Module] = []
    monkeypatch.setattr(nn.Module, "compile", lambda self: compiled.append(self))
    one = trainer(tiny, "training.compile=true")
    assert compiled == [one.model]
    assert weights(one.model).keys() == weights(trainer(tiny).model).keys()


@pytest.mark.slow
def test_a_compiled_network_learns_what_the_plain_one_learns(tiny: list[str]):
    losses = [trainer(tiny, f"training.compile={on}").train_epoch().metrics["train/loss"] for on in ("true", "false")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_the_learning_rate_of_a_plateau_is_resumed(tiny: list[str], tmp_path: Path):
    settings = ["training.lr_scheduler=plateau", "training.lr_scheduler.patience=1", "training.epochs=9"]
    one = trainer(tiny, *settings)
    one.train_epoch()
    one.lr_scheduler.step(2, -1.0)
    one.lr_scheduler.step(3, -1.0)
    one.save(tmp_path / "last.pth")
    resumed = trainer(tiny, *settings, f"training.resume_from={tmp_path / 'last.pth'}")
    assert resumed.lr_scheduler.state_dict()["ratio"] == 0.1
