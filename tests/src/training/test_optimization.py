"""Optimizer and schedule: ``python -m pytest tests/src/training/test_optimization.py``."""

import math
from functools import lru_cache
from typing import Any

import pytest
import torch
from timm.optim._optim_factory import create_optimizer_v2
from torch import nn
from torch.optim import Optimizer

from src.config.compose import load_config
from src.config.keys import list_options
from src.config.schema import SwinUnetModel, Training
from src.errors import UserError
from src.models.swin_unet import SwinUNet
from src.training.optimization import build_lr_scheduler, build_optimizer, fused, order_like_weights

LR = "training.optimizer.lr=0.01"


@lru_cache
def training_config(*overrides: str) -> Training:
    """``training`` with a learning rate of 0.01 and these overrides."""
    return load_config([LR, *overrides]).training


class Small(nn.Module):
    """A layer, a norm and a table of attention biases."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.relative_position_bias_table = nn.Parameter(torch.zeros(9, 2))


def optimizer_for(model: nn.Module, *overrides: str) -> Optimizer:
    return build_optimizer(model, training_config(*overrides))


def rates(*overrides: str, epochs: int = 10, steps_per_epoch: int = 10) -> list[float]:
    """The learning rate of every step, as the training loop sets it: before the first step, and after each."""
    training = training_config(f"training.epochs={epochs}", *overrides)
    optimizer = build_optimizer(Small(), training)
    scheduler = build_lr_scheduler(optimizer, training, steps_per_epoch)
    used = [optimizer.param_groups[0]["lr"]]
    for step in range(1, epochs * steps_per_epoch + 1):
        scheduler.step_update(step)
        used.append(optimizer.param_groups[0]["lr"])
    return used


def decays(model: nn.Module, optimizer: Optimizer) -> dict[str, float]:
    """The weight decay of every parameter, by its name."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {names[id(item)]: group["weight_decay"] for group in optimizer.param_groups for item in group["params"]}


def test_norms_biases_and_tables_of_attention_biases_do_not_decay() -> None:
    model = Small()
    assert decays(model, optimizer_for(model, "training.optimizer.weight_decay=0.3")) == {
        "layer.weight": 0.3,
        "layer.bias": 0.0,
        "norm.weight": 0.0,
        "norm.bias": 0.0,
        "relative_position_bias_table": 0.0,
    }


def test_in_a_swin_unet_only_matrices_and_kernels_decay() -> None:
    config = load_config(["model=architectures/swin_unet", "model.encoder.embed_dim=16"])
    assert isinstance(config.model, SwinUnetModel)
    model = SwinUNet(config.model.encoder, config.model.decoder, (32, 32), pretrained=False)
    found = decays(model, build_optimizer(model, config.training))
    shapes = {name: parameter.ndim for name, parameter in model.named_parameters()}
    assert found.keys() == shapes.keys()
    for name, decay in found.items():
        assert (decay > 0) == (shapes[name] > 1 and not name.endswith("relative_position_bias_table")), name
    assert sum("relative_position_bias_table" in name for name in found) == 2 * (4 + 3)


@pytest.mark.parametrize("name", ["adam", "nadamw", "lion", "rmsprop", "timm"])
def test_every_optimizer_with_a_file_makes_a_step(name: str) -> None:
    model = Small()
    optimizer = optimizer_for(model, f"training.optimizer={name}")
    before = model.layer.weight.detach().clone()
    model.layer(torch.rand(1, 3, 5, 5)).sum().backward()
    optimizer.step()
    assert type(optimizer).__name__.lower().startswith("radam" if name == "timm" else name[:5])
    assert not torch.equal(model.layer.weight, before)


@pytest.mark.parametrize(
    ("overrides", "kind"),
    [(["training.optimizer=sgd"], torch.optim.SGD), (["training.optimizer=adamw"], torch.optim.AdamW)],
    ids=str,
)
def test_the_optimizer_is_the_one_that_is_named(overrides: list[str], kind: type) -> None:
    optimizer = optimizer_for(Small(), *overrides, "training.optimizer.weight_decay=0.3")
    assert isinstance(optimizer, kind)
    if kind is torch.optim.SGD:
        assert optimizer.param_groups[0]["momentum"] == 0.9
        assert optimizer.param_groups[0]["nesterov"]


def test_any_optimizer_of_timm_may_be_named() -> None:
    model = Small()
    optimizer = optimizer_for(model, "training.optimizer.name=lion")
    model.layer(torch.rand(1, 3, 5, 5)).sum().backward()
    optimizer.step()
    assert type(optimizer).__name__ == "Lion"


VALUES: dict[str, dict[str, Any]] = {
    "sgd": {"momentum": 0.8, "nesterov": False},
    "adam": {"betas": (0.8, 0.95), "eps": 1e-5, "amsgrad": True},
    "adamw": {"betas": (0.8, 0.95), "eps": 1e-5, "amsgrad": True},
    "nadamw": {"betas": (0.8, 0.95), "eps": 1e-5},
    "lion": {"betas": (0.8, 0.95)},
    "rmsprop": {"alpha": 0.8, "momentum": 0.7, "eps": 1e-5, "centered": True},
    "timm": {},
}
"""For each file all of its optimizer's own keys, with other values than it has."""


def spelled(value: object) -> str:
    return str(list(value) if isinstance(value, tuple) else value).replace(" ", "").lower()


@pytest.mark.parametrize("name", list_options("training.optimizer"))
def test_every_own_key_of_an_optimizer_reaches_its_groups(name: str) -> None:
    words = [f"training.optimizer={name}"]
    assert training_config(*words).optimizer.own.keys() == VALUES[name].keys()
    words += [f"training.optimizer.{key}={spelled(value)}" for key, value in VALUES[name].items()]
    for group in optimizer_for(Small(), *words).param_groups:
        assert {key: group[key] for key in VALUES[name]} == VALUES[name]


@pytest.mark.parametrize("name", [name for name in VALUES if name != "timm"])
def test_the_files_hold_what_the_optimizers_have_by_themselves(name: str) -> None:
    """So what was trained before they had keys of their own is trained the same again."""
    own = optimizer_for(Small(), f"training.optimizer={name}")
    bare = create_optimizer_v2(Small(), opt=name, lr=0.01)
    assert type(own) is type(bare)
    for key in VALUES[name]:
        assert own.param_groups[0][key] == (
            tuple(bare.param_groups[0][key]) if key == "betas" else bare.param_groups[0][key]
        )


def test_what_an_optimizer_of_timm_takes_beside_is_passed_on() -> None:
    words = [
        "training.optimizer.name=adopt",
        "+training.optimizer.kwargs.betas=[0.9,0.99]",
        "+training.optimizer.kwargs.eps=1e-5",
    ]
    group = optimizer_for(Small(), *words).param_groups[0]
    assert (list(group["betas"]), group["eps"]) == ([0.9, 0.99], 1e-5)


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (["training.optimizer=adamw", "training.optimizer.name=lion"], "training.optimizer.eps=1e-08: lion has no eps"),
        (["training.optimizer.name=radam", "+training.optimizer.kwargs.beta=1"], "kwargs.beta=1: radam has no beta"),
        (["training.optimizer.name=radam", "+training.optimizer.kwargs.lr=1"], "kwargs.lr=1: radam has no lr"),
        (["training.optimizer.name=radam", "+training.optimizer.kwargs.eps=-1"], "radam with {'eps': -1} cannot be"),
    ],
)
def test_a_key_or_value_that_an_optimizer_does_not_take_is_refused_by_name(overrides: list[str], key: str) -> None:
    with pytest.raises(UserError) as caught:
        optimizer_for(Small(), *overrides)
    assert key in str(caught.value)


def test_an_unknown_optimizer_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UserError, match=r"training\.optimizer\.name 'adamv'\. Did you mean 'adam.?'\? Legal: .*sgd"):
        optimizer_for(Small(), "training.optimizer.name=adamv")


def test_the_scale_multiplies_the_learning_rate() -> None:
    optimizer = optimizer_for(Small(), "training.optimizer.lr_scale=3")
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.03, 0.03])
    plain, scaled = rates(), rates("training.optimizer.lr_scale=3")
    assert scaled == pytest.approx([3 * rate for rate in plain])


@pytest.mark.parametrize("name", ["cosine", "poly", "constant", "step", "multistep", "plateau"])
def test_the_warm_up_rises_in_a_line_from_a_hundredth(name: str) -> None:
    used = rates(f"training.lr_scheduler={name}", "training.lr_scheduler.warmup_fraction=0.2")
    for step in (0, 1, 7, 19):
        assert used[step] == pytest.approx(0.0001 + (0.01 - 0.0001) * step / 20)
    assert max(used) == pytest.approx(0.01, rel=0.05)


def test_cosine_is_half_a_cosine_down_to_its_ratio() -> None:
    used = rates("training.lr_scheduler.warmup_fraction=0", "training.lr_scheduler.min_lr_ratio=0.1")
    for step in (0, 1, 25, 50, 75, 99):
        assert used[step] == pytest.approx(0.001 + 0.009 * (1 + math.cos(math.pi * step / 100)) / 2)
    assert used[-1] == pytest.approx(0.001)


def test_cosine_with_a_warm_up_ends_at_its_ratio_too() -> None:
    used = rates("training.lr_scheduler.warmup_fraction=0.1", "training.lr_scheduler.min_lr_ratio=0.1")
    assert used[-1] == pytest.approx(0.001)
    assert used[-2] == pytest.approx(0.001, rel=0.02)
    assert used[11:] == sorted(used[11:], reverse=True)


def test_poly_falls_by_its_power() -> None:
    used = rates("training.lr_scheduler=poly", "training.lr_scheduler.warmup_fraction=0")
    for step in (0, 1, 50, 99):
        assert used[step] == pytest.approx(0.01 * (1 - step / 100) ** 0.9)
    line = rates(
        "training.lr_scheduler=poly",
        "training.lr_scheduler.power=1",
        "training.lr_scheduler.min_lr_ratio=0.5",
        "training.lr_scheduler.warmup_fraction=0",
    )
    assert line[50] == pytest.approx(0.0075)


def test_constant_stays_where_the_warm_up_ends() -> None:
    used = rates("training.lr_scheduler=constant", "training.lr_scheduler.warmup_fraction=0.1")
    assert used[10:] == pytest.approx([0.01] * 91)


def test_step_falls_by_its_rate_at_every_share_of_the_run() -> None:
    used = rates(
        "training.lr_scheduler=step",
        "training.lr_scheduler.warmup_fraction=0",
        "training.lr_scheduler.every_fraction=0.25",
        "training.lr_scheduler.decay_rate=0.5",
    )
    assert [used[step] for step in (0, 24, 25, 50, 99)] == pytest.approx([0.01, 0.01, 0.005, 0.0025, 0.00125])


def test_multistep_falls_at_its_milestones() -> None:
    used = rates("training.lr_scheduler=multistep", "training.lr_scheduler.milestone_fractions=[0.5,0.9]")
    assert [used[step] for step in (48, 51, 88, 91)] == pytest.approx([0.01, 0.001, 0.001, 0.0001])


def test_one_cycle_is_that_of_torch() -> None:
    used = rates("training.lr_scheduler=one_cycle")
    optimizer = torch.optim.SGD(Small().parameters(), lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=100)
    for step in range(99):
        assert used[step] == pytest.approx(optimizer.param_groups[0]["lr"]), step
        optimizer.step()
        theirs.step()


def plateau(*overrides: str) -> tuple[Optimizer, Any]:
    training = training_config("training.lr_scheduler=plateau", "training.lr_scheduler.warmup_fraction=0", *overrides)
    optimizer = build_optimizer(Small(), training)
    return optimizer, build_lr_scheduler(optimizer, training, steps_per_epoch=1)


def test_plateau_falls_after_its_patience_and_not_below_its_floor() -> None:
    optimizer, scheduler = plateau("training.lr_scheduler.patience=2", "training.lr_scheduler.min_lr_ratio=0.05")
    used: list[float] = []
    for epoch, score in enumerate([0.1, 0.3, 0.2, 0.3, 0.3, 0.2, 0.1, 0.0, 0.4], start=1):
        scheduler.step(epoch, score)
        scheduler.step_update(epoch)
        used.append(optimizer.param_groups[0]["lr"])
    assert used == pytest.approx([0.01] * 4 + [0.001] * 3 + [0.0005] * 2)


def test_a_plateau_schedule_goes_on_where_it_was_saved() -> None:
    _, first = plateau("training.lr_scheduler.patience=2")
    optimizer, second = plateau("training.lr_scheduler.patience=2")
    for epoch, score in enumerate([0.5, 0.4, 0.3], start=1):
        first.step(epoch, score)
    second.load_state_dict(first.state_dict())
    second.step(4, 0.2)
    second.step_update(4)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.001)


def scales(model: nn.Module, optimizer: Optimizer) -> dict[str, float]:
    """The learning rate of every parameter as a multiple of 0.01, by its name."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {names[id(item)]: group["lr"] / 0.01 for group in optimizer.param_groups for item in group["params"]}


def test_the_encoder_may_learn_slower_than_the_rest() -> None:
    training = training_config("training.optimizer.encoder_lr_mult=0.1", "training.lr_scheduler=constant")
    model = nn.ModuleDict({"encoder": Small(), "head": Small()})
    optimizer = build_optimizer(model, training)
    scheduler = build_lr_scheduler(optimizer, training, steps_per_epoch=1)
    scheduler.step_update(100)
    for name, scale in scales(model, optimizer).items():
        assert scale == pytest.approx(0.1 if name.startswith("encoder.") else 1.0), name


def test_with_layer_decay_each_block_of_a_swin_encoder_learns_slower_than_the_next() -> None:
    swin = ["model=architectures/swin_unet", "model.encoder.embed_dim=16"]
    config = load_config([*swin, LR, "training.optimizer.layer_decay=0.5", "training.lr_scheduler=constant"])
    assert isinstance(config.model, SwinUnetModel)
    model = SwinUNet(config.model.encoder, config.model.decoder, (32, 32), pretrained=False)
    optimizer = build_optimizer(model, config.training)
    build_lr_scheduler(optimizer, config.training, steps_per_epoch=1).step_update(100)
    found = scales(model, optimizer)
    assert {name: found[name] for name in found if name.endswith("attn.proj.bias") and name.startswith("encoder")} == {
        f"encoder.layers_{stage}.blocks.{block}.attn.proj.bias": pytest.approx(0.5 ** (8 - 2 * stage - block))
        for stage in range(4)
        for block in range(2)
    }
    assert found["encoder.patch_embed.proj.weight"] == pytest.approx(0.5**9)
    assert found["encoder.layers_1.downsample.reduction.weight"] == pytest.approx(0.5**6)
    assert found["head.weight"] == pytest.approx(1.0)


def test_layer_decay_without_blocks_is_refused() -> None:
    with pytest.raises(UserError, match=r"layer_decay=0\.5: only swin_unet has blocks"):
        optimizer_for(Small(), "training.optimizer.layer_decay=0.5")


@pytest.mark.parametrize("name", ["cosine", "one_cycle", "step", "multistep"])
def test_the_rate_depends_on_the_step_alone(name: str) -> None:
    """A resumed run asks for its step at once, and no checkpoint needs the schedule's state."""
    training = training_config("training.epochs=10", f"training.lr_scheduler={name}")
    expected = rates(f"training.lr_scheduler={name}")
    for step in (3, 40, 77):
        optimizer = build_optimizer(Small(), training)
        build_lr_scheduler(optimizer, training, 10).step_update(step)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(expected[step])


@pytest.mark.parametrize("name", ["cosine", "poly", "constant", "step", "multistep", "plateau", "one_cycle"])
@pytest.mark.parametrize("warmup", [0, 0.05, 0.5, 1])
@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_short_runs_have_a_positive_rate_at_every_step(name: str, warmup: float, epochs: int) -> None:
    used = rates(
        f"training.lr_scheduler={name}",
        f"training.lr_scheduler.warmup_fraction={warmup}",
        epochs=epochs,
        steps_per_epoch=3,
    )
    assert all(0 < rate <= 0.01 + 1e-9 for rate in used[:-1]), used


def test_every_rate_of_a_group_follows_the_schedule() -> None:
    optimizer = optimizer_for(Small())
    scheduler: Any = build_lr_scheduler(optimizer, training_config(), steps_per_epoch=5)
    scheduler.step_update(300)
    assert len(optimizer.param_groups) == 2
    assert len({group["lr"] for group in optimizer.param_groups}) == 1


def test_what_is_kept_of_weights_in_another_memory_order_stays_with_its_weight() -> None:
    """As where a checkpoint of a card continues on a CPU: a fused step there does not look at the order."""
    torch.manual_seed(0)
    gradients = torch.randn(3, 8, 4, 3, 3)
    steady, moved = nn.Conv2d(4, 8, 3, bias=False), nn.Conv2d(4, 8, 3, bias=False)
    kept: dict[str, Any] = {}
    for model, steps in ((steady, 3), (moved, 2)):
        model.load_state_dict({"weight": torch.ones(8, 4, 3, 3)})
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
        for gradient in gradients[:steps]:
            model.weight.grad = gradient.clone()
            optimizer.step()
        kept = optimizer.state_dict()
    moved.weight.data = moved.weight.data.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(moved.parameters(), lr=0.1, fused=True)
    optimizer.load_state_dict(kept)
    order_like_weights(optimizer)
    moved.weight.grad = gradients[2].to(memory_format=torch.channels_last)
    optimizer.step()
    torch.testing.assert_close(moved.weight, steady.weight)


@pytest.mark.parametrize(
    ("overrides", "step"),
    [
        ([], {"fused": True}),
        (["training/optimizer=adam"], {"fused": True}),
        (["training/optimizer=sgd"], {}),
        (["training/optimizer=nadamw"], {}),
        (["training/optimizer=timm", "training.optimizer.name=sgdw"], {}),
        (["training/optimizer=timm", "+training.optimizer.kwargs.foreach=true"], {}),
    ],
)
def test_all_weights_are_stepped_at_once_if_torch_can_and_nobody_says_otherwise(
    overrides: list[str], step: dict[str, bool]
) -> None:
    assert fused(training_config(*overrides).optimizer) == step
