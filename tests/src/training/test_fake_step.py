"""Training steps without content: do they hold what real ones hold?"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from slow_rest import slow_rest
from torch import Tensor, nn
from torch._subclasses import fake_tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.mem_tracker import MemTracker
from torch.nn import functional

from benchmarks.architecture_memory import measured_on_cpu
from src.config.compose import load_config
from src.config.schema import Config
from src.models.device import MIB
from src.models.registry import build_model
from src.training import fake_step
from src.training.fake_step import CardAutocast, FakeTraining, LiveBytes, peak_bytes

SEGFORMER = ["model=architectures/segformer", "model.encoder=mit_b0", "model.encoder.pretrained=false"]
SWIN = [
    "model=architectures/swin_unet",
    "model.encoder.embed_dim=24",
    "model.encoder.depths=[1,1,1,1]",
    "model.decoder.depths=[1,1,1]",
]
FPN = ["model=architectures/fpn", "model.encoder=mobilenet_v2", "model.encoder.pretrained=false"]


def bytes_of(words: list[str], *more: str, sizes: tuple[int, ...] = (4,)) -> int:
    return known_bytes((*(word for word in words if not word.startswith("output_root=")), *more), sizes)


@cache
def known_bytes(words: tuple[str, ...], sizes: tuple[int, ...]) -> int:
    """A second each, and several tests ask for the same."""
    return peak_bytes(load_config(words), sizes)


def network_of(config: Config) -> nn.Module:
    encoder = config.model.encoder.model_copy(update={"pretrained": False})
    return build_model(config.model.model_copy(update={"encoder": encoder}), config.data.image_size)[0]


@pytest.fixture
def fake_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets tensors without content be on a graphics card that is not there."""
    monkeypatch.setattr(fake_tensor, "init_gpu_context", lambda device: None)
    monkeypatch.setattr(FakeTensorMode, "avoid_device_init", property(lambda mode: True))
    monkeypatch.setattr(FakeTensorMode, "avoiding_device_init", True, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_, **__: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: (8, 6))


@pytest.mark.slow
def test_the_peak_grows_with_the_batch_and_with_the_images(tiny: list[str]):
    small = bytes_of(tiny, "data.image_size=[128,96]")
    assert small < bytes_of(tiny, "data.image_size=[128,96]", sizes=(8,))
    assert small < bytes_of([*tiny, "data.image_size=[128,128]"])


def test_averaged_weights_are_one_copy_more(tiny: list[str]):
    state = network_of(load_config(tiny)).state_dict()
    copy = sum(item.nbytes for item in state.values())
    assert bytes_of(tiny, "training.ema_decay=0.99") - bytes_of(tiny) == pytest.approx(copy, rel=0.05)


@pytest.mark.slow
def test_float32_takes_more_than_bfloat16(tiny: list[str]):
    words = [*tiny, "data.image_size=[128,128]"]
    single = bytes_of(words, "training.mixed_precision=false")
    for mixed in ("auto", "bf16", "fp16", "true"):
        assert bytes_of(words, f"training.mixed_precision={mixed}") < 0.8 * single


def test_accumulation_holds_gradients_through_the_next_forward_pass_and_no_more(tiny: list[str]):
    words = [*tiny, "data.image_size=[128,128]"]
    gradients = sum(item.nbytes for item in network_of(load_config(words)).parameters())
    once = bytes_of(words)
    # activations are most here: with gradients held the second pass is the peak
    assert 0.9 * gradients < bytes_of(words, sizes=(4, 4)) - once <= gradients
    assert bytes_of(words, sizes=(4, 4, 4)) == bytes_of(words, sizes=(4, 4))


@pytest.mark.slow
def test_every_optimizer_has_its_state(tiny: list[str]):
    found = {name: bytes_of(tiny, f"training.optimizer={name}") for name in fake_step.STEPPED}
    weights = sum(item.nbytes for item in network_of(load_config(tiny)).parameters())
    assert found["nadamw"] - found["lion"] > 0.9 * weights  # two moments, and one
    assert found["nadamw"] - found["adamw"] > 0.9 * weights  # which torch steps without a copy of the weights
    assert bytes_of(tiny, "training.optimizer.name=kron") == found["adamw"]
    assert bytes_of(tiny, "training.optimizer.amsgrad=true") - found["adamw"] > 0.9 * weights  # a third one
    bare = ["training.optimizer=sgd", "training.optimizer.momentum=0.0", "training.optimizer.nesterov=false"]
    assert found["sgd"] - bytes_of(tiny, *bare) > 0.9 * weights


def test_the_seed_is_not_spent_on_predictions(tiny: list[str]):
    before = torch.get_rng_state()
    peak_bytes(load_config(tiny), (4,))
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.__future__.get_overwrite_module_params_on_conversion()


@pytest.mark.parametrize(
    "more",
    [pytest.param(["model=architectures/linknet"], marks=pytest.mark.slow), ["training.ema_decay=0.9"]],
    ids=["linknet", "unet"],
)
def test_bytes_are_counted_as_by_the_tracker_of_torch(tiny: list[str], more: list[str]):
    words = [word for word in tiny if word != "model.decoder=tiny"]
    config = load_config([*words, *more, "data.image_size=[64,64]"])
    network, tracker = network_of(config), MemTracker()
    with FakeTensorMode(allow_non_fake_inputs=True):
        with fake_step._new_parameters():
            network.to_empty(device="cpu")
        training = FakeTraining(config, network)
        tracker.track_external(network, training.optimizer, *training.average)
        with tracker:
            training.step([4])
            tracker.reset_mod_stats()
            training.step([4])
    (counted,) = tracker.get_tracker_snapshot("peak").values()
    assert peak_bytes(config, [4]) == pytest.approx(counted["Total"], rel=0.02)


@pytest.mark.parametrize("encoder", ["tiny", pytest.param("resnet18", marks=pytest.mark.slow)])
def test_a_real_training_holds_what_was_predicted(tiny: list[str], tmp_path: Path, encoder: str):
    """In the tiny network activations are most, in the other one weights and the optimizer."""
    words = [*tiny, f"model.encoder={encoder}", "model.encoder.pretrained=false", "training.mixed_precision=false"]
    words += ["data.image_size=[128,128]", f"data.cache_dir={tmp_path / 'cache'}"]
    assert bytes_of(words) / MIB == pytest.approx(measured_on_cpu(words), rel=0.1)


ON_BOTH: dict[str, Callable[[Tensor], Tensor]] = {
    "layer_norm": lambda x: functional.layer_norm(x, x.shape[-1:]),
    "group_norm": lambda x: functional.group_norm(x, 2),
    "softmax": lambda x: x.softmax(-1),
    "log_softmax": lambda x: functional.log_softmax(x, -1),
    "normalize": lambda x: functional.normalize(x, dim=-1),
    "vector_norm": lambda x: torch.linalg.vector_norm(x, dim=-1),
    "sum": lambda x: x.sum(1),
    "mean": lambda x: x.mean(1),
    "power": lambda x: x**2,
    "inverse": lambda x: 1 / x,
    "exp": torch.exp,
    "sigmoid": torch.sigmoid,
    "gelu": functional.gelu,
    "nearest": lambda x: functional.interpolate(x, scale_factor=2),
    "bilinear": lambda x: functional.interpolate(x, scale_factor=2.0, mode="bilinear"),
    "area": lambda x: functional.interpolate(x, size=(4, 4), mode="area"),
    "max_pool": lambda x: functional.max_pool2d(x, 2),
    "batch_norm": lambda x: functional.batch_norm(x, None, None, training=True),
    "cat": lambda x: torch.cat([x, x.float()]),
    "attention": lambda x: functional.scaled_dot_product_attention(x, x, x),
    "convolution": lambda x: functional.conv2d(x.float(), torch.empty(4, 4, 1, 1, device=x.device)),
}


@pytest.mark.usefixtures("fake_card")
@pytest.mark.parametrize("name", ON_BOTH)
def test_functions_give_the_precision_that_they_give_on_a_card(name: str):
    found: list[torch.dtype] = []
    for device in ("cpu", "cuda"):
        with FakeTensorMode(), torch.autocast(device, torch.bfloat16), CardAutocast():
            found.append(ON_BOTH[name](torch.empty(2, 4, 8, 8, device=device, dtype=torch.bfloat16)).dtype)
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "model", slow_rest([["model.encoder=tiny"], SWIN, FPN, SEGFORMER], 2), ids=lambda words: words[0]
)
def test_the_forward_pass_holds_what_it_holds_on_a_card(
    model: list[str], fake_card: None, monkeypatch: pytest.MonkeyPatch
):
    """Only the forward pass: torch's engine wants a real card for the backward pass of tensors on one."""
    config = load_config([*model, "data.image_size=[64,64]"])
    networks = {"cpu": network_of(config), "cuda": network_of(config)}
    found: list[int] = []
    for device, network in networks.items():
        with FakeTensorMode(allow_non_fake_inputs=True), fake_step._new_parameters():
            network.to_empty(device=device)
            images = torch.empty(8, 3, 64, 64, device=device)
            with LiveBytes() as live, torch.autocast(device, torch.bfloat16), CardAutocast():
                logits = network(images)
            found += [live.now, live.peak]
            del logits
    assert found[:2] == pytest.approx(found[2:], rel=0.01)
