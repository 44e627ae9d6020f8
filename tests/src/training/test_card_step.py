"""The training step as it is on a graphics card, without one: where everything lies, how precise, and who waits."""

from collections.abc import Generator
from itertools import cycle, product
from pathlib import Path

import pytest
import torch
from fake_card import CARD, Step, fake_card, misplaced, take_step, trainer
from slow_rest import slow_rest
from torch import Tensor
from waits import Waits

from src.config.keys import list_options
from src.config.schema import SmpModel
from src.models.micro_batch import StepState
from src.training.trainer import Trainer

ARCHITECTURES = list_options("model")
LOSSES = list_options("training.loss")
SCHEDULES = list_options("training.lr_scheduler")
OPTIMIZERS = list_options("training.optimizer")
PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16, "false": torch.float32}
# as small as can be; where nothing is said the encoder is that of ``tiny``
SMALL = {
    "architectures/dpt": ["model.encoder=vit_base", "model.encoder.name=tu-test_vit"],
    "architectures/pan": ["model.encoder=tiny", "data.image_size=[128,128]"],
    "architectures/segformer": ["model.encoder=mit_b0"],
    "architectures/swin_unet": ["model.encoder.embed_dim=32", "model.encoder.depths=[1,1,1,1]"],
}
A_NUMBER = "aten._local_scalar_dense.default"
SCALER_WAITS = [f"{A_NUMBER} in grad_scaler.py:{name}" for name in ("get_scale", "<genexpr>", "get_scale")]
"""The middle one is in ``GradScaler.step``: whether any gradient is infinite. A fused step asks that on the card."""


@pytest.fixture
def words(tiny: list[str]) -> list[str]:
    """Overrides of a training on two images at once, on the card if there is one."""
    others = [word for word in tiny if not word.startswith(("model.", "device="))]
    return [*others, "data.image_size=[64,64]", "data.batch_size=2", "model.encoder.pretrained=false"]


@pytest.fixture
def small(words: list[str]) -> list[str]:
    """The same with the smallest network."""
    return [*words, "model.encoder=tiny", "model.decoder=tiny"]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Generator[Waits]:
    """For the card, which is there as long as this is."""
    with fake_card(monkeypatch) as waits:
        yield waits


def expect_right_step(one: Trainer, waits: Waits, images: int = 2) -> Step:
    waits.take()
    step = take_step(one, images)
    precision = one.dtype or torch.float32
    scaler = [wait for wait in SCALER_WAITS if not (is_fused(one) and "genexpr" in wait)]
    assert beside_colours(waits.take()) == (scaler if precision == torch.float16 else [])
    assert misplaced(one) == []
    assert {item.device for item in (step.images, step.logits, step.masks, step.loss)} == {CARD}
    assert (step.images.dtype, step.masks.dtype, step.loss.dtype) == (torch.float32,) * 3
    assert step.precisions == {precision}
    assert step.logits.dtype in (precision, torch.float32)  # autocast enlarges in float32, with which some end
    if isinstance(one.config.model, SmpModel):
        kernels = [item for item in one.model.parameters() if item.dim() == 4]
        assert all(item.is_contiguous(memory_format=torch.channels_last) for item in (step.images, *kernels))
    return step


def is_fused(one: Trainer) -> bool:
    return bool(one.optimizer.param_groups[0].get("fused"))


def beside_colours(waits: list[str]) -> list[str]:
    """Without those for the tensors of the data's mean colours, which are made once and kept."""
    return [wait for wait in waits if not wait.endswith(" in inference.py:_colour")]


def expect_two_right_steps(overrides: list[str], waits: Waits) -> Trainer:
    one = trainer(overrides)
    for _ in range(2):  # the second has what the optimizer keeps
        expect_right_step(one, waits)
    assert one.step == 2
    return one


@pytest.mark.parametrize(
    "architecture",
    [
        name if name.endswith(("/unet", "swin_unet")) else pytest.param(name, marks=pytest.mark.slow)
        for name in ARCHITECTURES
    ],
)
def test_every_architecture_steps_on_the_card_and_waits_nowhere(waits: Waits, words: list[str], architecture: str):
    size = SMALL.get(architecture, ["model.encoder=tiny"])
    one = expect_two_right_steps([*words, f"model={architecture}", *size, "model.encoder.pretrained=false"], waits)
    assert one.dtype == torch.bfloat16  # what auto is on such a card


@pytest.mark.parametrize(
    "more",
    slow_rest(
        [
            "training.mixed_precision=fp16 training.clip_grad_norm=1",
            "training.mixed_precision=false",
            "training.ema_decay=0.9",
            "training.mixed_precision=fp16",
            "training.clip_grad_norm=1",
            *(
                f"training.loss={loss} training.optimizer={optimizer} training.lr_scheduler={schedule}"
                for loss, optimizer, schedule in zip(LOSSES, cycle(OPTIMIZERS), cycle(SCHEDULES), strict=False)
            ),
        ],
        9,
    ),
)
def test_every_way_to_train_steps_on_the_card_and_waits_nowhere_but_in_the_scaler_of_fp16(
    waits: Waits, small: list[str], more: str
):
    expect_two_right_steps([*small, *more.split()], waits)


def test_accumulation_waits_nowhere(waits: Waits, small: list[str]):
    one = trainer([*small, "training.gradient_accumulation_steps=2"])
    assert len(expect_right_step(one, waits, images=4).images) == 2  # of the last micro-batch


@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "precision"), product(ARCHITECTURES, PRECISIONS))
def test_every_architecture_as_it_is_configured_steps_in_every_precision(
    waits: Waits, words: list[str], architecture: str, precision: str
):
    size = ["data.image_size=[128,128]", "model.encoder.pretrained=false"]
    one = expect_two_right_steps(
        [*words, f"model={architecture}", *size, f"training.mixed_precision={precision}"], waits
    )
    assert (one.dtype or torch.float32) == PRECISIONS[precision]


EVERY_TWO = [
    (*pair, precision) for pair, precision in zip(product(LOSSES, OPTIMIZERS), cycle(PRECISIONS), strict=False)
]


def test_every_loss_and_every_optimizer_comes_with_every_precision():
    assert {(loss, precision) for loss, _, precision in EVERY_TWO} == {*product(LOSSES, PRECISIONS)}
    assert {(optimizer, precision) for _, optimizer, precision in EVERY_TWO} == {*product(OPTIMIZERS, PRECISIONS)}


@pytest.mark.slow
@pytest.mark.parametrize(("loss", "optimizer", "precision"), EVERY_TWO)
def test_every_loss_steps_with_every_optimizer_and_in_every_precision(
    waits: Waits, small: list[str], loss: str, optimizer: str, precision: str
):
    more = [f"training.loss={loss}", f"training.optimizer={optimizer}", f"training.mixed_precision={precision}"]
    expect_two_right_steps([*small, *more], waits)


@pytest.mark.parametrize(
    "more", slow_rest(["training.ema_decay=0.9", *(f"training.optimizer={name}" for name in OPTIMIZERS)], 2)
)
def test_a_run_that_goes_on_counts_its_steps_where_its_optimizer_does_and_waits_nowhere(
    small: list[str], more: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    before = trainer([*small, more, "device=cpu"])
    take_step(before)
    before.save(tmp_path / "last.pth")
    with fake_card(monkeypatch) as waits:
        one = trainer([*small, more, f"training.resume_from={tmp_path / 'last.pth'}"])
        assert [wait for wait in waits.take() if " in checkpoint.py" in wait] == []
        counters = [kept["step"] for kept in one.optimizer.state.values() if isinstance(kept.get("step"), Tensor)]
        assert {counter.device.type for counter in counters} <= {"cuda" if is_fused(one) else "cpu"}
        expect_right_step(one, waits)
        assert one.step == 2


def test_an_epoch_waits_for_its_loss_and_its_scores_and_in_each_bincount(waits: Waits, small: list[str]):
    one = trainer([*small, "training.gradient_accumulation_steps=4"])
    waits.take()
    one.train_epoch()
    assert beside_colours(waits.take()) == [
        *[f"{A_NUMBER} in trainer.py:train_epoch"] * 2,  # the second is there with the first
        *["aten.bincount.default in metrics.py:probability_histogram"] * 2,
        f"{A_NUMBER} in validation.py:score",
        "aten._to_copy.default in validation.py:score",
    ]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_predictions_are_float32_on_the_card_and_not_waited_for(waits: Waits, small: list[str], precision: str):
    one = trainer([*small, f"training.mixed_precision={precision}"])
    waits.take()
    probs = one.predict(torch.zeros(2, 64, 64, 3, dtype=torch.uint8))
    assert (probs.device, probs.dtype, probs.shape) == (CARD, torch.float32, (2, 1, 64, 64))
    assert beside_colours(waits.take()) == []


def test_the_state_before_a_step_is_kept_and_brought_back_on_the_card(waits: Waits, small: list[str]):
    one = trainer(small)
    waits.take()
    state = StepState(one.model, one.device)
    state.restore()
    assert waits.take() == []
    assert state.values is not None
    assert {item.device for item in (state.values, *state.buffers)} == {CARD}


def test_a_step_that_is_begun_again_waits_nowhere(waits: Waits, small: list[str]):
    one = trainer(small)
    forward, failures = one.model.forward, [torch.OutOfMemoryError("no room")]

    def short_of_memory(images: Tensor) -> Tensor:
        logits = forward(images)
        if failures:
            raise failures.pop()
        return logits

    one.model.forward = short_of_memory  # type: ignore[method-assign]
    expect_right_step(one, waits)
    assert one.micro_batch.size == 1
