"""Swin-UNet (Cao et al. 2021, arXiv 2105.05537), built from timm's Swin stages, for images of any size.

Inside the network features are (N, H, W, C), as in timm's Swin. The encoder halves the grid three times from 1/4; the
decoder expands it back, fusing the encoder's features of the same size, and a last 4x expansion reaches every pixel.
"""

from collections.abc import Sequence
from typing import Any, cast

import timm
import torch
from timm.models.swin_transformer import SwinTransformerStage
from torch import Tensor, nn
from torch.nn import functional

from src.config.schema import SwinDecoder, SwinEncoder
from src.errors import unknown

WINDOWS = (8, 7, 12)  # in order of preference: 8 tiles 256 and 512, 7 is the pretrained size, 12 tiles 384
PATCH = 4  # pixels along one side of the first grid's cells


class Expand(nn.Module):
    """Patch expanding: (N, H, W, C) to (N, scale H, scale W, C'), by a linear map that turns channels into pixels."""

    def __init__(self, channels: int, out_channels: int, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.spread = nn.Linear(channels, out_channels * scale * scale, bias=False)
        self.norm = nn.LayerNorm(out_channels)

    def forward(self, features: Tensor) -> Tensor:
        # pixel_shuffle wants channels first; (N, H, W, C' s s) holds each pixel's s x s block in its channels
        spread = functional.pixel_shuffle(self.spread(features).permute(0, 3, 1, 2), self.scale)
        return self.norm(spread.permute(0, 2, 3, 1))


class Up(nn.Module):
    """One decoder stage: expand, fuse with the skip connection of the same size, attend."""

    def __init__(self, channels: int, grid: tuple[int, int], depth: int, heads: int, window: int, drop: float) -> None:
        super().__init__()
        self.expand = Expand(2 * channels, channels, scale=2)
        self.fuse = nn.Linear(2 * channels, channels)
        self.attend = SwinTransformerStage(
            channels, channels, grid, depth, False, heads, window_size=window, dynamic_mask=True, drop_path=drop
        )

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        height, width = skip.shape[1:3]  # the encoder pads odd grids before halving them: drop the padding
        expanded = self.expand(features)[:, :height, :width]
        return self.attend(self.fuse(torch.cat([expanded, skip], dim=-1)))


class SwinUNet(nn.Module):
    """(N, 3, H, W) images to (N, 1, H, W) logits. 27.17 M parameters at embed_dim 96, depths 2, 2, 2, 2.

    ``image_size`` (height, width) sets the grids for which attention windows are shifted; other sizes work too.
    """

    def __init__(
        self, encoder: SwinEncoder, decoder: SwinDecoder, image_size: tuple[int, int], pretrained: bool
    ) -> None:
        super().__init__()
        window = choose_window(image_size) if encoder.window_size == "auto" else encoder.window_size
        self.encoder = build_encoder(encoder, image_size, window, pretrained)
        channels = [encoder.embed_dim * 2**stage for stage in range(4)]
        heads = attention_heads(encoder)
        self.norm = nn.LayerNorm(channels[-1])
        self.ups = nn.ModuleList(
            Up(channels[stage], grid(image_size, stage), depth, heads[stage], window, encoder.drop_path_rate / 2)
            for stage, depth in zip((2, 1, 0), decoder.depths, strict=True)
        )
        self.last_norm = nn.LayerNorm(channels[0])
        self.last_expand = Expand(channels[0], channels[0], scale=PATCH)
        self.head = nn.Conv2d(channels[0], 1, kernel_size=1, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        padded = functional.pad(images, (0, -width % PATCH, 0, -height % PATCH))
        *skips, deepest = cast(list[Tensor], self.encoder(padded))
        features = self.norm(deepest)
        for up, skip in zip(self.ups, reversed(skips), strict=True):
            features = up(features, skip)
        pixels = self.last_expand(self.last_norm(features)).permute(0, 3, 1, 2)
        return self.head(pixels)[..., :height, :width]


def build_encoder(encoder: SwinEncoder, image_size: tuple[int, int], window: int, pretrained: bool) -> nn.Module:
    """timm's Swin backbone as four feature maps at 1/4 to 1/32. Pretrained weights are cut to ``encoder.depths``."""
    depths, own_depths = list(encoder.depths), cast(list[int], native_config(encoder.name)["depths"])
    backbone = timm.create_model(
        encoder.name,
        pretrained=pretrained,
        features_only=True,
        out_indices=(0, 1, 2, 3),
        img_size=image_size,
        dynamic_img_size=True,
        window_size=window,
        embed_dim=encoder.embed_dim,
        # pretrained weights fit only their own depths: load those, then drop the surplus blocks
        depths=tuple(own_depths if pretrained else depths),
        num_heads=tuple(attention_heads(encoder)),
        drop_path_rate=encoder.drop_path_rate,
    )
    if pretrained:
        for stage, depth in enumerate(depths):
            layer = cast(Any, backbone)[f"layers_{stage}"]
            layer.blocks = layer.blocks[:depth]
    return backbone


def can_load_pretrained(encoder: SwinEncoder) -> bool:
    """Whether the published weights have the shapes of this encoder."""
    native = native_config(encoder.name)
    same_width = encoder.embed_dim == native["embed_dim"] and attention_heads(encoder) == native["num_heads"]
    return same_width and all(
        want <= own for want, own in zip(encoder.depths, cast(Any, native["depths"]), strict=True)
    )


def native_config(name: str) -> dict[str, object]:
    """``embed_dim``, ``depths`` and ``num_heads`` of a Swin model of timm. Other models are a ``UserError``."""
    legal = timm.list_models(["swin_*", "swinv2_*"], exclude_filters="*_cr_*")
    if name.split(".")[0] not in legal:
        raise unknown("Swin encoder in model.encoder.name", name, legal)
    with torch.device("meta"):  # only its attributes are needed: no memory, no random numbers
        model = cast(Any, timm.create_model(name, pretrained=False))
    heads = [stage.blocks[0].attn.num_heads for stage in model.layers]
    return {"embed_dim": model.embed_dim, "depths": [len(stage.blocks) for stage in model.layers], "num_heads": heads}


def attention_heads(encoder: SwinEncoder) -> list[int]:
    """Heads per stage: as configured, or one per 32 channels in the first stage and twice as many in each later."""
    return list(encoder.num_heads or [max(1, encoder.embed_dim // 32) * 2**stage for stage in range(4)])


def choose_window(image_size: Sequence[int]) -> int:
    """The window of 8, 7 and 12 that pads the four grids of ``image_size`` with the fewest cells."""

    def padding(window: int) -> float:
        cells = padded = 0
        for stage in range(4):
            height, width = grid((image_size[0], image_size[1]), stage)
            # timm shrinks a window that is larger than the grid, so a small grid costs nothing
            rows, columns = min(window, height), min(window, width)
            cells += height * width
            padded += -(-height // rows) * rows * -(-width // columns) * columns
        return padded / cells

    return min(WINDOWS, key=padding)


def grid(image_size: tuple[int, int], stage: int) -> tuple[int, int]:
    """Height and width of a stage's feature map, stage 0 at 1/4 of the image; odd grids are padded when halved."""
    reduction = PATCH * 2**stage
    return -(-image_size[0] // reduction), -(-image_size[1] // reduction)
