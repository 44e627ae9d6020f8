"""Swin-UNet: ``python -m pytest tests/src/models/test_swin_unet.py``."""

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, cast

import pytest
import torch
from timm.models.swin_transformer import SwinTransformerBlock

from src.config.compose import load_config
from src.config.schema import SwinEncoder, SwinUnetModel
from src.errors import UserError
from src.models.swin_unet import SwinUNet, attention_heads, can_load_pretrained, choose_window, grid, native_config

SMALL = ("model.encoder.embed_dim=16", "model.decoder.depths=[2,2,2]")


def model_config(*overrides: str) -> SwinUnetModel:
    """``model`` of a Swin-UNet with these overrides."""
    model = load_config(["model=architectures/swin_unet", *overrides]).model
    assert isinstance(model, SwinUnetModel)
    return model


def encoder_config(*overrides: str) -> SwinEncoder:
    return model_config(*overrides).encoder


def build(size: tuple[int, int], *overrides: str) -> SwinUNet:
    """A network with random weights for images of this size."""
    model = model_config(*overrides)
    return SwinUNet(model.encoder, model.decoder, size, pretrained=False)


@lru_cache
def small(size: tuple[int, int] = (64, 64)) -> SwinUNet:
    """A narrow network, built once. Do not change it."""
    torch.manual_seed(0)
    return build(size, *SMALL).eval()


def blocks(network: SwinUNet) -> Iterator[SwinTransformerBlock]:
    return (module for module in network.modules() if isinstance(module, SwinTransformerBlock))


def test_it_has_27_million_parameters_at_its_defaults() -> None:
    network = build((224, 224))
    assert round(sum(parameter.numel() for parameter in network.parameters()) / 1e6, 2) == 27.17


@pytest.mark.parametrize("size", [(224, 224), (333, 500), (64, 64), (32, 96), (30, 17)], ids=str)
def test_any_image_size_gives_logits_of_that_size(size: tuple[int, int]) -> None:
    with torch.inference_mode():
        logits = small()(torch.rand(2, 3, *size))
    assert logits.shape == (2, 1, *size)
    assert torch.isfinite(logits).all()


def test_an_image_does_not_depend_on_the_others_in_its_batch() -> None:
    images = torch.rand(3, 3, 64, 64)
    with torch.inference_mode():
        together = small()(images)
        torch.testing.assert_close(small()(images[1:2]), together[1:2], rtol=1e-4, atol=1e-5)


def test_the_output_follows_the_place_of_what_is_seen() -> None:
    """A change in one corner of the image changes the logits there most: no stage may turn or mix up the grid."""
    images = torch.rand(1, 3, 64, 64)
    for rows, columns in ((slice(0, 16), slice(48, 64)), (slice(48, 64), slice(0, 16))):
        changed = images.clone()
        changed[..., rows, columns] = 0
        with torch.inference_mode():
            difference = (small()(changed) - small()(images)).abs()[0, 0]
        assert difference[rows, columns].mean() > 2 * difference.mean()


def test_what_the_encoder_sees_reaches_the_decoder_past_its_deepest_features() -> None:
    def erase(*arguments: Any) -> torch.Tensor:
        return torch.zeros_like(arguments[-1])

    hook = small().norm.register_forward_hook(erase)
    with torch.inference_mode():
        one, two = small()(torch.rand(2, 3, 64, 64))
    hook.remove()
    assert (one - two).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("size", "window"),
    [
        ((512, 512), 8),  # grids 128, 64, 32, 16 hold whole windows of 8
        ((256, 256), 8),
        ((224, 224), 7),  # 56, 28, 14, 7: of 7
        ((448, 448), 7),  # 112, 56, 28, 14: of 7
        ((384, 384), 12),  # 96, 48, 24, 12: of 12; 8 would pad the last to 16
        ((512, 224), 8),
    ],
    ids=str,
)
def test_the_window_is_the_one_that_pads_least(size: tuple[int, int], window: int) -> None:
    assert choose_window(size) == window


def test_a_window_that_is_given_is_used() -> None:
    network = build((128, 128), *SMALL, "model.encoder.window_size=4")
    assert {block.window_size for block in blocks(network)} == {(4, 4)}


def test_the_grids_halve_and_round_up() -> None:
    assert [grid((333, 500), stage) for stage in range(4)] == [(84, 125), (42, 63), (21, 32), (11, 16)]


@pytest.mark.parametrize("size", [(512, 512), (448, 448), (256, 512)], ids=str)
def test_every_second_block_shifts_its_windows_where_the_grid_is_larger_than_one(size: tuple[int, int]) -> None:
    """Built for 224 and run at 512, timm's last stage would never shift."""
    network = build(size, *SMALL)
    window = choose_window(size)
    backbone = cast(Any, network.encoder)
    stages = [(stage, backbone[f"layers_{stage}"].blocks) for stage in range(4)]
    stages += [(2 - index, cast(Any, up).attend.blocks) for index, up in enumerate(network.ups)]
    for stage, pair in stages:
        expected = tuple(window // 2 if side > window else 0 for side in grid(size, stage))
        assert [block.shift_size for block in pair] == [(0, 0), expected]
    assert backbone.layers_3.blocks[1].shift_size != (0, 0)


def test_one_backward_pass_reaches_every_parameter() -> None:
    torch.manual_seed(0)
    network = build((64, 64), *SMALL, "model.encoder.drop_path_rate=0")
    network(torch.rand(2, 3, 64, 64)).square().mean().backward()
    untouched = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert not untouched
    # on the 2x2 grid of the last stage an entry of the bias table can only be 0 by chance
    still = [name for name, parameter in network.named_parameters() if not cast(torch.Tensor, parameter.grad).any()]
    assert not still


def test_a_few_steps_learn_a_mask() -> None:
    torch.manual_seed(0)
    network = build((32, 32), *SMALL)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    images = torch.rand(2, 3, 32, 32)
    masks = (images[:, :1] > 0.5).float()
    losses: list[float] = []
    for _ in range(15):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(images), masks)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.95 * losses[0]


@pytest.mark.parametrize(("width", "heads"), [(96, [3, 6, 12, 24]), (48, [1, 2, 4, 8]), (16, [1, 2, 4, 8])])
def test_there_is_a_head_for_every_32_channels(width: int, heads: list[int]) -> None:
    encoder = encoder_config(f"model.encoder.embed_dim={width}")
    assert attention_heads(encoder) == heads
    assert all(width * 2**stage % count == 0 for stage, count in enumerate(heads))


def test_heads_that_are_given_are_used() -> None:
    network = build((64, 64), *SMALL, "model.encoder.num_heads=[2,2,4,4]")
    assert [cast(Any, network.encoder)[f"layers_{stage}"].blocks[0].attn.num_heads for stage in range(4)] == [
        2,
        2,
        4,
        4,
    ]


def test_depths_of_encoder_and_decoder_are_used() -> None:
    network = build((64, 64), *SMALL, "model.encoder.depths=[1,2,3,1]", "model.decoder.depths=[3,1,2]")
    assert [len(cast(Any, network.encoder)[f"layers_{stage}"].blocks) for stage in range(4)] == [1, 2, 3, 1]
    assert [len(cast(Any, up).attend.blocks) for up in network.ups] == [3, 1, 2]


def test_the_drop_path_rate_grows_along_the_encoder_and_is_halved_in_the_decoder() -> None:
    network = build((64, 64), *SMALL, "model.encoder.drop_path_rate=0.4")
    found = cast(list[Any], list(blocks(network)))
    rates = [block.drop_path1.drop_prob for block in found if hasattr(block.drop_path1, "drop_prob")]
    assert max(rates) == pytest.approx(0.4)
    last = [block.drop_path1.drop_prob for block in cast(Any, network.ups[-1]).attend.blocks]
    assert last == pytest.approx([0.2, 0.2])


def test_published_weights_fit_the_width_and_heads_that_they_were_made_for() -> None:
    assert can_load_pretrained(encoder_config())
    assert can_load_pretrained(encoder_config("model.encoder.depths=[1,1,1,1]"))
    assert can_load_pretrained(encoder_config("model.encoder.num_heads=[3,6,12,24]"))
    assert not can_load_pretrained(encoder_config("model.encoder.embed_dim=48"))
    assert not can_load_pretrained(encoder_config("model.encoder.num_heads=[2,4,8,16]"))


def test_the_configuration_of_a_published_network_is_known() -> None:
    state = torch.get_rng_state()
    assert native_config("swin_base_patch4_window7_224") == {
        "embed_dim": 128, "depths": [2, 2, 18, 2], "num_heads": [4, 8, 16, 32]
    }  # fmt: skip
    assert torch.equal(torch.get_rng_state(), state)


def test_published_weights_do_not_fit_more_blocks_than_they_were_made_for() -> None:
    assert not can_load_pretrained(encoder_config("model.encoder.depths=[2,2,7,2]"))
    deeper = build((64, 64), *SMALL, "model.encoder.depths=[2,2,7,2]")
    assert len(cast(Any, deeper.encoder).layers_2.blocks) == 7


def test_an_unknown_swin_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(
        UserError, match=r"model\.encoder\.name 'swin_tini_patch4_window7_224'\. Did you mean 'swin_tiny"
    ):
        build((64, 64), "model.encoder.name=swin_tini_patch4_window7_224")


def test_untrained_logits_are_neither_flat_nor_huge() -> None:
    with torch.inference_mode():
        logits = small()(torch.randn(2, 3, 64, 64))
    assert 1e-3 < float(logits.std()) < 10
    assert math.isfinite(float(logits.mean()))
