"""What a training starts from: ``model.init_from``."""

import io
import json
import logging
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import huggingface_hub.constants
import pytest
import segmentation_models_pytorch as smp
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from run import main as run
from src.config.compose import load_config
from src.errors import UserError
from src.evaluation import main as evaluate
from src.models.checkpoint import load_training
from src.models.registry import build_model
from src.models.start import Start, fit, read_weights, starting_network
from src.training.trainer import Trainer

TINY = ("model.encoder=tiny", "model.decoder=tiny", "data.image_size=[32,32]")


def started(*words: str) -> tuple[dict[str, Tensor], Start]:
    torch.manual_seed(1)
    network, start = starting_network(load_config([*TINY, *words]))
    return network.state_dict(), start


def network(*words: str, seed: int = 7) -> nn.Module:
    """Another one than ``started`` would begin with."""
    config = load_config([*TINY, *words])
    torch.manual_seed(seed)
    return build_model(config.model, config.data.image_size)[0]


def saved(content: Any, path: Path) -> str:
    torch.save(content, path)
    return f"model.init_from={path}"


def differing(one: dict[str, Tensor], other: dict[str, Tensor]) -> set[str]:
    return {name for name in one if not torch.equal(one[name], other[name])}


def test_of_a_checkpoint_the_network_that_was_scored_is_taken(trained_run: Path):
    path = trained_run / "checkpoints" / "best_model.pth"
    weights, start = started(f"model.init_from={path}")
    averaged = load_training(path)["ema"]
    assert not differing(weights, averaged)
    assert (start.source, start.loaded, start.missing) == (path, len(averaged), ())


def with_prefix(prefix: str) -> Callable[[nn.Module], Any]:
    return lambda network: {f"{prefix}{name}": value for name, value in network.state_dict().items()}


WRAPPED: dict[str, Callable[[nn.Module], Any]] = {
    "plain": lambda network: network.state_dict(),
    "ordered": lambda network: OrderedDict(network.state_dict()),
    "parallel": with_prefix("module."),
    "compiled and parallel": with_prefix("module._orig_mod."),
    "lightning": lambda network: {
        "state_dict": with_prefix("model.")(network) | {"loss.weight": torch.ones(1)},
        "epoch": 3,
        "optimizer_states": [],
    },
    "with more": lambda network: {"model": network.state_dict(), "optimizer": {"state": {}}},
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_names_may_be_those_of_another_program(wrap: Callable[[nn.Module], Any], tmp_path: Path):
    other = network()
    weights, start = started(saved(wrap(other), tmp_path / "other.pth"))
    assert not differing(weights, other.state_dict())
    assert start.missing == ()


def test_what_does_not_fit_starts_as_it_would_without_and_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    other = network("model.decoder.decoder_channels=[8,8,8,8,8]").state_dict()  # other shapes in the decoder
    weights, start = started(saved(other, tmp_path / "other.pth"))
    alone, _ = started()
    assert start.missing
    assert all(name.startswith(("decoder.", "segmentation_head.")) for name in start.missing)
    assert not differing({name: weights[name] for name in start.missing}, {name: alone[name] for name in start.missing})
    assert all(torch.equal(weights[name], other[name]) for name in weights if name not in start.missing)
    assert f"{start.loaded} of the network's {len(weights)} weights" in caplog.text
    assert start.missing[0] in caplog.text


def test_an_encoder_alone_is_enough_and_may_be_one_of_timm(tmp_path: Path):
    encoder = timm.create_model("test_resnet", pretrained=False)
    path = tmp_path / "encoder.safetensors"
    save_file(encoder.state_dict(), path)
    weights, start = started(f"model.init_from={path}")
    theirs = encoder.state_dict()
    found = {name.removeprefix("encoder.model."): value for name, value in weights.items() if "encoder" in name}
    assert not differing(found, theirs)
    assert all(not name.startswith("encoder.") for name in start.missing)


def hub_folder(folder: Path) -> dict[str, Tensor]:
    """As smp's own ``save_pretrained`` writes it."""
    torch.manual_seed(7)
    other = smp.Unet("tu-test_resnet", encoder_weights=None, encoder_depth=3, decoder_channels=(16, 8, 4), classes=1)
    cast(Any, other).save_pretrained(folder)
    return other.state_dict()


def test_a_folder_of_smps_may_have_another_decoder_and_more_classes(tmp_path: Path):
    theirs = hub_folder(tmp_path)
    weights, start = started(f"model.init_from={tmp_path}")
    assert start.source == tmp_path / "model.safetensors"
    encoder = [name for name in weights if name.startswith("encoder.") and name in theirs]
    assert len(encoder) > 20
    assert all(torch.equal(weights[name], theirs[name]) for name in encoder)


def test_a_name_of_the_hub_is_looked_for_in_its_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    place = tmp_path / "models--somebody--cracks"
    hub_folder(place / "snapshots" / "abc")
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("abc")
    _, start = started("model.init_from=somebody/cracks")
    assert start.source == place / "snapshots" / "abc" / "model.safetensors"
    with pytest.raises(UserError, match=r"model\.init_from=somebody/else.*cannot be reached"):
        started("model.init_from=somebody/else")


class Evil:
    def __reduce__(self) -> Any:
        return (print, ("code of a file was run",))


def compressed(path: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"a": torch.ones(2)}, buffer)
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for record in source.infolist():
            target.writestr(record.filename, source.read(record))


BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "another network": (lambda path: torch.save(nn.Conv2d(3, 3, 5).state_dict(), path), "nothing in it fits"),
    "damaged": (lambda path: path.write_bytes(b"PK\x03\x04 and then nothing"), "damaged"),
    "text": (lambda path: path.write_text("weights"), "damaged"),
    "code": (lambda path: torch.save({"a": Evil()}, path), "damaged"),
    "compressed": (compressed, "compressed"),
    "a list": (lambda path: torch.save([torch.ones(2)], path), "a list"),
    "no tensors": (lambda path: torch.save({"epoch": 3}, path), "no weights by name"),
    "not a number": (lambda path: torch.save({"a": torch.tensor([torch.nan])}, path), "NaN"),
    "nothing": (lambda path: None, "no such file"),
    "an empty folder": (lambda path: path.mkdir(), "no model.safetensors"),
}


@pytest.mark.parametrize(("write", "why"), BAD.values(), ids=BAD)
def test_a_file_that_cannot_be_started_from_is_refused_by_name(
    write: Callable[[Path], Any], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "other.pth"
    write(path)
    with pytest.raises(UserError) as refused:
        started(f"model.init_from={path}")
    assert str(path) in str(refused.value)
    assert why in str(refused.value)
    assert "code of a file was run" not in capsys.readouterr().out


def test_a_damaged_checkpoint_of_ours_is_refused(run_folder: Path):
    path = run_folder / "checkpoints" / "best_model.pth"
    payload = load_training(path)
    torch.save({**payload, "model": {}, "ema": {"a": torch.tensor([torch.inf])}}, path)
    with pytest.raises(UserError, match="NaN or infinity"):
        started(f"model.init_from={path}")


def test_of_two_ways_to_name_them_the_one_with_more_that_fit_counts():
    other = network()
    weights = {f"net.{name}": value for name, value in other.state_dict().items()} | {"extra": torch.ones(1)}
    assert len(fit(weights, other)) == len(other.state_dict())


def test_numbers_of_another_type_are_taken(tmp_path: Path):
    other = network()
    half = {name: value.half() if value.is_floating_point() else value for name, value in other.state_dict().items()}
    weights, _ = started(saved(half, tmp_path / "half.pth"))
    assert weights["encoder.model.conv1.0.weight"].dtype == torch.float32
    assert torch.equal(weights["encoder.model.conv1.0.weight"].half(), half["encoder.model.conv1.0.weight"])


def test_a_run_says_what_it_started_from_and_its_checkpoint_does_without(
    tiny: list[str], run_folder: Path, tmp_path: Path
):
    first = tmp_path / "first.pth"
    (run_folder / "checkpoints" / "best_model.pth").rename(first)
    run([*tiny, f"model.init_from={first}", "experiment_name=second", "training.epochs=1"])
    (folder,) = (tmp_path / "outputs" / "experiments").glob("*-second")
    about = json.loads((folder / "provenance.json").read_text())["init_from"]
    assert (about["file"], about["not_loaded"]) == (str(first), [])
    assert about["loaded"] > 20
    assert len(about["digest"]) == 12
    first.unlink()
    checkpoint = folder / "checkpoints" / "last.pth"
    evaluate([f"model.checkpoint_path={checkpoint}", "evaluation.split=val"])
    run([*tiny, f"model.init_from={first}", "training.epochs=2", f"training.resume_from={checkpoint}"])


def test_a_network_that_was_trained_begins_better_than_a_random_one(tiny: list[str], trained_run: Path):
    words = [f"model.init_from={trained_run / 'checkpoints' / 'best_model.pth'}", "training.optimizer.lr=1e-9"]
    first, alone = (Trainer(load_config([*tiny, *more]), [*tiny, *more]).train_epoch() for more in (words, words[1:]))
    assert first.metrics["val/loss"] < alone.metrics["val/loss"]


def test_files_of_other_programs_may_hold_their_own_format_number(tmp_path: Path):
    path = tmp_path / "other.pth"
    torch.save({"format": "theirs", "state_dict": {"a": torch.ones(2)}}, path)
    assert set(read_weights(path)) == {"a"}
