"""Batch norm's statistics, counted anew before a validation."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from src.config.compose import load_config
from src.config.schema import Data
from src.scoring.inference import to_network
from src.training.batch_norm import PreciseBatchNorm
from src.training.trainer import Trainer


@pytest.fixture
def data(tiny: list[str]) -> Data:
    return load_config(tiny).data


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(), nn.Conv2d(4, 1, 1))


def batches(count: int = 3, images: int = 4) -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.randint(0, 256, (images, 8, 8, 3), dtype=torch.uint8) for _ in range(count)]


def recount(model: nn.Module, data: Data, given: list[Tensor], size: int = 4) -> PreciseBatchNorm:
    precise = PreciseBatchNorm(data, 1)
    for images in given:
        precise.add(images)
    precise.recount(model, None, size)
    return precise


def statistics(model: nn.Module) -> Tensor:
    norm = model[1]  # type: ignore[index]
    return torch.cat([norm.running_mean, norm.running_var])  # type: ignore


@pytest.mark.parametrize("size", [4, 2])
def test_statistics_are_the_mean_over_the_batches_with_the_weights_as_they_are(data: Data, size: int):
    ours, peer = network(), network()
    recount(ours, data, batches(), size)
    inputs = [to_network(part, part[..., 0], data, peer)[0] for images in batches() for part in images.split(size)]
    update_bn(inputs, peer)
    torch.testing.assert_close(statistics(ours), statistics(peer))


def test_nothing_else_changes(data: Data):
    model, given = network(), batches()
    weights, random = copy.deepcopy(list(model.parameters())), torch.get_rng_state()
    recount(model, data, given)
    torch.testing.assert_close(list(model.parameters()), weights, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), random)
    assert not any(module.training for module in model.modules())
    assert model[1].momentum == 0.1  # type: ignore[index]


def test_without_batch_norm_or_images_nothing_happens(data: Data):
    model = network()
    before = statistics(model)
    recount(model, data, [])
    assert torch.equal(statistics(model), before)
    recount(nn.Conv2d(3, 1, 3), data, batches())


def test_statistics_that_have_overflowed_are_forgotten(data: Data):
    sound, overflown = network(), network()
    overflown[1].running_mean.fill_(torch.nan)  # type: ignore
    overflown[1].running_var.fill_(torch.inf)  # type: ignore
    for model in (sound, overflown):
        recount(model, data, batches())
    assert torch.equal(statistics(sound), statistics(overflown))


class Counting(nn.BatchNorm2d):
    """Counts the images that pass."""

    images = 0

    def forward(self, input: Tensor) -> Tensor:
        self.images += len(input)
        return super().forward(input)


@pytest.mark.parametrize(("batch_size", "accumulated", "counted"), [(2, 1, 32), (2, 16, 32), (8, 1, 32), (16, 2, 64)])
def test_the_last_four_batches_count_or_as_many_as_hold_32_images(
    data: Data, batch_size: int, accumulated: int, counted: int
):
    model = nn.Sequential(Counting(3), nn.Conv2d(3, 1, 1))
    given = batches(40 // accumulated + 2, batch_size * accumulated)
    precise = recount(model, data.model_copy(update={"batch_size": batch_size}), [*given, given[0][:1]], batch_size)
    assert model[0].images == counted  # type: ignore
    precise.recount(model, None, batch_size)
    assert model[0].images == counted  # type: ignore  # the images are forgotten


def test_an_epoch_of_one_small_batch_has_at_least_that(data: Data):
    model = nn.Sequential(Counting(3), nn.Conv2d(3, 1, 1))
    recount(model, data.model_copy(update={"batch_size": 8}), batches(1, 3))
    assert model[0].images == 3  # type: ignore


@pytest.mark.parametrize("more", [[], ["training.ema_decay=0.9"]], ids=str)
def test_a_validation_is_done_with_precise_statistics_unless_nobody_wants_them(tiny: list[str], more: list[str]):
    precise, running = (
        Trainer(load_config(words), words)
        for words in ([*tiny, *more], [*tiny, *more, "training.precise_batch_norm=false"])
    )
    reports = [one.train_epoch() for one in (precise, running)]
    for name, weight in precise.model.named_parameters():
        assert torch.equal(weight, running.model.get_parameter(name))
    assert reports[0].metrics["train/loss"] == reports[1].metrics["train/loss"]
    assert reports[0].metrics["val/loss"] != reports[1].metrics["val/loss"]
