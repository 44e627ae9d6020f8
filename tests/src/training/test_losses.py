"""Losses: ``python -m pytest tests/src/training/test_losses.py``."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from segmentation_models_pytorch.losses import DiceLoss, FocalLoss, JaccardLoss, LovaszLoss, MCCLoss, TverskyLoss
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from src.config.compose import load_config
from src.config.keys import CONFIG_DIR
from src.config.schema import LossNumber
from src.errors import UserError
from src.training.losses import LOSSES, Overlap, WeightedSum, build_loss, mcc, soft_skeleton

FILES = sorted(path.stem for path in (CONFIG_DIR / "training" / "loss").glob("*.yaml"))


@lru_cache
def configured(name: str) -> WeightedSum:
    """The loss that ``training.loss=name`` selects."""
    return build_loss(load_config([f"training.loss={name}"]).training.loss)


def batch(images: int = 6, size: int = 16) -> tuple[Tensor, Tensor]:
    """Logits (N, 1, H, W), and masks of unlike shares of crack; the last one has none."""
    rng = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(images, 1, size, size, generator=rng)
    shares = torch.linspace(0.4, 0.0, images).view(-1, 1, 1, 1)
    return logits, (torch.rand(images, 1, size, size, generator=rng) < shares).float()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("value", [0.0, 1.0], ids=["all background", "all crack"])
@pytest.mark.parametrize("scale", [0.0, 1.0, 100.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_every_configured_loss_is_a_finite_float32(name: str, value: float, scale: float, dtype: torch.dtype) -> None:
    logits = (scale * batch()[0]).to(dtype).requires_grad_()
    loss = configured(name)(logits, torch.full(logits.shape, value))
    loss.backward()
    assert (loss.dtype, loss.shape) == (torch.float32, ())
    assert torch.isfinite(loss)
    assert loss >= 0
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", FILES)
def test_every_configured_loss_falls_as_the_prediction_gets_better(name: str) -> None:
    loss, (_, masks) = configured(name), batch()
    towards = [float(loss(certainty * (2 * masks - 1), masks)) for certainty in (-4.0, -1.0, 0.0, 1.0, 4.0, 12.0)]
    assert towards == sorted(towards, reverse=True)
    assert towards[-1] < 0.01 < towards[0]


@pytest.mark.parametrize("name", FILES)
def test_a_step_down_the_gradient_lowers_every_configured_loss(name: str) -> None:
    loss, (logits, masks) = configured(name), batch()
    logits.requires_grad_()
    before = loss(logits, masks)
    (gradient,) = torch.autograd.grad(before, logits)
    assert loss(logits - gradient / gradient.abs().max(), masks) < before


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("parts", [(3, 3), (4, 2), (1, 5), (2, 2, 2)], ids=str)
def test_the_gradient_does_not_depend_on_how_a_batch_is_split(name: str, parts: tuple[int, ...]) -> None:
    loss, (logits, masks) = configured(name), batch()
    whole, split = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    loss(whole, masks).backward()
    for part, truth in zip(split.split(parts), masks.split(parts), strict=True):
        (loss(part, truth) * (len(part) / len(logits))).backward()
    torch.testing.assert_close(split.grad, whole.grad, rtol=1e-5, atol=1e-9)


LEGAL: dict[str, list[dict[str, float]]] = {
    "bce": [{"pos_weight": value} for value in (0.0, 1e-300, 1.0, 1e6)],
    "cldice": [{"iterations": count, "smooth": value} for count in (0, 3, 20) for value in (0.0, 1e-300, 1.0, 1e6)],
    "dice": [{"smooth": value} for value in (0.0, 1e-300, 1.0, 1e6)],
    "focal": [
        {"alpha": alpha, "gamma": gamma}
        for alpha in (0.0, 0.25, 1.0)
        for gamma in (0.0, 1e-300, 0.1, 0.5, 0.9, 1.0, 1.5, 2.0, 5.0, 1e6)
    ],
    "jaccard": [{"smooth": value} for value in (0.0, 1e-300, 1.0, 1e6)],
    "lovasz": [{}],
    "mcc": [{}],
    "tversky": [
        {"alpha": alpha, "beta": beta, "gamma": gamma, "smooth": smooth}
        for alpha, beta in ((0.3, 0.7), (0.0, 1.0), (1.0, 0.0), (0.0, 0.0), (1e6, 1e6))
        for gamma in (0.0, 0.1, 0.75, 1.0, 3.0, 1e6)
        for smooth in (0.0, 1.0, 1e6)
    ],
}
"""Parameters that a configuration may have, at and near the ends of what is legal."""
CASES = [(name, parameters) for name, sets in LEGAL.items() for parameters in sets]


@lru_cache
def extremes() -> tuple[Tensor, Tensor]:
    """Every kind of mask with every kind of logits up to what fp16 can hold, each an image of one batch."""
    rng = torch.Generator().manual_seed(0)
    size = 12
    masks = torch.zeros(5, 1, size, size)  # the first is empty
    masks[1] = 1
    masks[2, 0, 4, 4] = 1
    masks[3, 0, 5] = 1
    masks[4] = (torch.rand(1, size, size, generator=rng) < 0.5).float()
    noise = torch.randn(masks.shape, generator=rng)
    one = torch.full(masks.shape, -1.0)
    one[..., 4, 4] = 1
    kinds = [noise, 2 * masks - 1, 1 - 2 * masks, torch.ones_like(masks), -torch.ones_like(masks), one]
    scales = (0.0, 1e-6, 1.0, 17.0, 20.0, 100.0, 1e4, 65504.0)
    pairs = [(scale * kind, masks) for kind in kinds for scale in scales]
    logits, truths = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    return logits, truths


@pytest.mark.parametrize(("name", "parameters"), CASES, ids=str)
def test_no_legal_parameter_makes_a_loss_or_its_gradient_infinite(name: str, parameters: dict[str, float]) -> None:
    TypeAdapter(dict[str, LossNumber]).validate_python(parameters)
    logits, masks = extremes()
    logits = logits.clone().requires_grad_()
    loss = build_loss({name: {"weight": 1.0, **parameters}})(logits, masks)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.isfinite()
    assert loss >= 0
    assert gradient.isfinite().all()


def test_every_term_has_its_legal_parameters_tried() -> None:
    assert LEGAL.keys() == LOSSES.keys()


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.9, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_focal_is_that_of_the_library_where_its_slope_is_finite(gamma: float, scale: float) -> None:
    logits, masks = batch(size=32)
    ours, theirs = ((scale * logits).requires_grad_() for _ in range(2))
    found, expected = (
        loss(values, masks)
        for loss, values in (
            (single("focal", alpha=0.75, gamma=gamma), ours),
            (FocalLoss("binary", 0.75, gamma), theirs),
        )
    )
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)
    found.backward()
    expected.backward()
    assert ours.grad is not None
    assert theirs.grad is not None
    finite = theirs.grad.isfinite()
    torch.testing.assert_close(ours.grad[finite], theirs.grad[finite], rtol=1e-3, atol=1e-9)


def test_cldice_without_smooth_is_its_limit_where_there_is_no_crack() -> None:
    empty, found = torch.zeros(1, 1, 16, 16), torch.full((1, 1, 16, 16), -100.0)
    limit, exact = (single("cldice", iterations=3, smooth=smooth) for smooth in (1e-6, 0.0))
    torch.testing.assert_close(exact(found, empty), limit(found, empty))
    found[..., 8, :] = 100.0
    torch.testing.assert_close(exact(found, empty), limit(found, empty))
    assert exact(found, empty) > 0.99


def test_mcc_takes_counts_that_rounding_has_made_negative_for_none() -> None:
    overlap = mcc()
    assert isinstance(overlap, Overlap)
    tp, fp, fn, tn = (torch.tensor([value]) for value in (3.0, 5.0, 0.0, -0.03))
    assert overlap.score(tp, fp, fn, tn).isfinite()


@pytest.mark.parametrize("value", ["2.5", "1e6"])
def test_iterations_of_cldice_are_a_whole_number_of_erosions(value: str) -> None:
    config = load_config(["training.loss=dice_bce_cldice", f"training.loss.cldice.iterations={value}"])
    with pytest.raises(UserError, match=r"training\.loss\.cldice\.iterations"):
        build_loss(config.training.loss)


REFERENCE = {
    "dice": DiceLoss("binary", smooth=1.0),
    "jaccard": JaccardLoss("binary", smooth=1.0),
    "tversky": TverskyLoss("binary", alpha=0.3, beta=0.7, smooth=1.0),
    "mcc": lambda logits, masks: MCCLoss()(logits.sigmoid(), masks),
}
PARAMETERS: dict[str, dict[str, float]] = {
    "dice": {"smooth": 1.0},
    "jaccard": {"smooth": 1.0},
    "tversky": {"alpha": 0.3, "beta": 0.7, "gamma": 1.0, "smooth": 1.0},
    "mcc": {},
    "lovasz": {},
    "cldice": {"iterations": 3, "smooth": 1.0},
}


@pytest.mark.parametrize("name", REFERENCE)
def test_overlap_losses_are_those_of_the_library_taken_image_by_image(name: str) -> None:
    loss, (logits, masks) = LOSSES[name].build(**PARAMETERS[name]), batch(size=32)
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    single = [
        REFERENCE[name](image, mask) * mask.amax() for image, mask in zip(theirs.split(1), masks.split(1), strict=True)
    ]
    expected, found = torch.stack(single).mean(), loss(ours, masks)
    torch.testing.assert_close(found, expected)
    found.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-9)


class Operations(TorchDispatchMode):
    """Counts what would be launched on a card, views aside."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        self.count += not func.is_view
        return found


@pytest.mark.parametrize("name", [*REFERENCE, "cldice", "lovasz"])
def test_a_loss_launches_as_much_for_eight_images_as_for_one(name: str) -> None:
    counts: list[int] = []
    for images in (1, 8):
        logits, masks = batch(images)
        loss = LOSSES[name].build(**PARAMETERS[name])
        with Operations() as operations:
            loss(logits.requires_grad_(), masks).backward()
        counts.append(operations.count)
    assert counts[0] == counts[1]


def test_dice_is_the_mean_of_the_losses_of_single_images() -> None:
    loss, (logits, masks) = configured("dice"), batch()
    single = [loss(logits[index : index + 1], masks[index : index + 1]) for index in range(len(logits))]
    torch.testing.assert_close(loss(logits, masks), torch.stack(single).mean())


def test_dice_of_an_image_is_one_minus_its_dice_coefficient() -> None:
    logits, masks = batch(images=1)
    probs = logits.sigmoid()
    overlap, miss = (probs * masks).sum(), (probs * (1 - masks)).sum() + ((1 - probs) * masks).sum()
    expected = 1 - (overlap + 3) / (overlap + miss / 2 + 3)
    torch.testing.assert_close(build_loss({"dice": {"weight": 1, "smooth": 3.0}})(logits, masks), expected)


def test_bce_is_the_mean_over_pixels_where_a_crack_pixel_counts_pos_weight_times() -> None:
    logits, masks = batch()
    expected = functional.binary_cross_entropy_with_logits(logits, masks, pos_weight=torch.tensor(5.0))
    torch.testing.assert_close(build_loss({"bce": {"weight": 1, "pos_weight": 5.0}})(logits, masks), expected)


def test_focal_is_equation_5_of_its_paper_with_alpha_for_cracks() -> None:
    logits, masks = batch()
    probs = logits.sigmoid()
    crack = -0.8 * (1 - probs) ** 3 * probs.log() * masks
    other = -0.2 * probs**3 * (1 - probs).log() * (1 - masks)
    loss = build_loss({"focal": {"weight": 1, "alpha": 0.8, "gamma": 3.0}})
    torch.testing.assert_close(loss(logits, masks), (crack + other).mean(), rtol=1e-4, atol=1e-6)


def test_a_missed_crack_costs_more_than_a_false_one_in_the_configured_focal_loss() -> None:
    loss, masks = configured("focal"), torch.zeros(1, 1, 8, 8)
    masks[..., :4] = 1  # half of the pixels, so that only alpha makes a difference
    missed = loss(torch.full(masks.shape, -2.0), masks)
    false = loss(torch.full(masks.shape, 2.0), masks)
    assert missed > 2 * false


def test_a_mixture_is_the_weighted_sum_of_its_terms() -> None:
    terms: Mapping[str, Mapping[str, float]] = {
        "dice": {"weight": 0.3, "smooth": 1.0},
        "bce": {"weight": 2.0, "pos_weight": 3.0},
        "focal": {"weight": 0.0, "alpha": 0.5, "gamma": 2.0},
    }
    logits, masks = batch()
    parts = {name: build_loss({name: {**values, "weight": 1.0}})(logits, masks) for name, values in terms.items()}
    torch.testing.assert_close(build_loss(terms)(logits, masks), 0.3 * parts["dice"] + 2 * parts["bce"])


def test_every_term_has_a_configuration_that_uses_it() -> None:
    used = {term for name in FILES for term in load_config([f"training.loss={name}"]).training.loss}
    assert used == set(LOSSES)


def test_an_unknown_term_is_refused_with_the_legal_ones() -> None:
    with pytest.raises(
        UserError, match=r"training\.loss 'focl'\. Did you mean 'focal'\? Legal: bce, cldice, dice, focal"
    ):
        build_loss({"focl": {"weight": 1.0}})


@pytest.mark.parametrize(
    ("terms", "sentence"),
    [
        ({"dice": {"weight": 1.0, "smooth": 1.0, "power": 2.0}}, r"training\.loss\.dice: .*'power'"),
        ({"dice": {"weight": 1.0}}, r"training\.loss\.dice: .*'smooth'"),
        ({"dice": {"smooth": 1.0}}, r"training\.loss\.dice has no weight"),
        ({"dice": {"smooth": 1.0, "weight": 0.0}}, r"the weights of dice are all 0"),
        ({"focal": {"weight": 1.0, "gamma": 2.0, "alpha": 1.5}}, r"training\.loss\.focal\.alpha=1\.5: must be in \[0"),
    ],
)
def test_a_parameter_that_is_unknown_missing_or_illegal_is_refused_by_its_key(
    terms: dict[str, dict[str, float]], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        build_loss(terms)


@pytest.mark.parametrize(
    ("loss", "parameter"),
    [
        ("bce", "pos_weight=-1"),
        ("dice", "smooth=-5"),
        ("focal", "gamma=-1"),
        ("bce", "weight=-1"),
        ("bce", "weight=nan"),
        ("bce", "pos_weight=10000000.0"),
        ("focal", "gamma=inf"),
    ],
)
def test_a_parameter_that_turns_the_loss_upside_down_or_overflows_is_refused(loss: str, parameter: str) -> None:
    with pytest.raises(UserError, match=f"training.loss.{loss}.{parameter}"):
        load_config([f"training.loss={loss}", f"training.loss.{loss}.{parameter}"])


def single(term: str, **parameters: float) -> WeightedSum:
    return build_loss({term: {"weight": 1.0, **parameters}})


def test_tversky_with_both_weights_at_a_half_is_dice() -> None:
    pair = batch()
    tversky = single("tversky", alpha=0.5, beta=0.5, gamma=1.0, smooth=0.0)
    torch.testing.assert_close(tversky(*pair), single("dice", smooth=0.0)(*pair))


def test_tversky_weighs_missed_cracks_by_beta_and_takes_its_exponent_image_by_image() -> None:
    logits, masks = batch(images=2)
    probs = logits.sigmoid()
    hit, false, missed = (
        (part).flatten(1).sum(1) for part in (probs * masks, probs * (1 - masks), (1 - probs) * masks)
    )
    expected = ((1 - hit / (hit + 0.2 * false + 0.8 * missed)) ** 0.75) * masks.flatten(1).amax(1)
    loss = single("tversky", alpha=0.2, beta=0.8, gamma=0.75, smooth=0.0)
    torch.testing.assert_close(loss(logits, masks), expected.mean())


def test_jaccard_is_one_minus_the_iou_of_probabilities() -> None:
    logits, masks = batch(images=1)
    probs = logits.sigmoid()
    overlap = (probs * masks).sum()
    expected = 1 - overlap / (probs.sum() + masks.sum() - overlap)
    torch.testing.assert_close(single("jaccard", smooth=0.0)(logits, masks), expected)


def test_mcc_is_one_minus_the_correlation_of_prediction_and_truth() -> None:
    logits, masks = batch(images=1)
    certain = torch.where(logits > 0, 30.0, -30.0)
    found = torch.corrcoef(torch.stack([(certain > 0).float().flatten(), masks.flatten()]))[0, 1]
    torch.testing.assert_close(single("mcc")(certain, masks), 1 - found, rtol=1e-4, atol=1e-4)


def test_the_lovasz_hinge_of_one_wrong_pixel_is_its_hinge_times_what_it_costs_in_iou() -> None:
    masks = torch.zeros(1, 1, 4, 4)
    masks[..., :2] = 1  # 8 crack pixels
    logits = 10 * (2 * masks - 1)
    logits[0, 0, 0, 0] = -3.0  # one is missed: IoU 7/8, hinge 1 + 3
    torch.testing.assert_close(single("lovasz")(logits, masks), torch.tensor(4.0 / 8))


@pytest.mark.parametrize("size", [1, 12])
def test_the_lovasz_hinge_has_the_value_and_gradient_of_smps(size: int) -> None:
    logits, masks = extremes()
    logits, masks = logits[..., :size, :size].clone().requires_grad_(), masks[..., :size, :size]
    ours, peer = single("lovasz")(logits, masks), LovaszLoss("binary", per_image=True)(logits, masks)
    torch.testing.assert_close(ours, peer)
    torch.testing.assert_close(torch.autograd.grad(ours, logits), torch.autograd.grad(peer, logits))


def test_the_soft_skeleton_of_a_bar_is_its_centre_line() -> None:
    bar = torch.zeros(1, 1, 15, 31)
    bar[..., 5:10, 3:28] = 1
    skeleton = soft_skeleton(bar, iterations=3)
    assert skeleton[0, 0, 7, 5:26].eq(1).all()
    assert skeleton.sum() < bar.sum() / 3


def test_cldice_sees_a_gap_that_hardly_changes_dice() -> None:
    masks = torch.zeros(1, 1, 32, 64)
    masks[..., 14:17, :] = 1
    broken, thin = masks.clone(), masks.clone()
    broken[..., 30:34] = 0  # 12 pixels are missing: the crack is in two
    thin[..., 14, ::5] = 0  # 13 pixels are missing: the crack is whole
    losses = {
        name: single("cldice", iterations=3, smooth=1.0)(20 * (2 * area - 1), masks)
        for name, area in (("broken", broken), ("thin", thin), ("whole", masks))
    }
    assert losses["whole"] < 1e-3
    assert losses["broken"] > 2 * losses["thin"]
