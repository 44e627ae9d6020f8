"""Batches of an epoch: ``python -m pytest tests/src/data/test_loader.py``."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from src.config.compose import load_config
from src.data.cache import CachedSplit, load_split
from src.data.loader import CrackDataset, EpochBatches, EpochLoader, scoring_loader, train_loader
from src.errors import UserError

CPU = torch.device("cpu")
Batches = list[tuple[Tensor, Tensor]]


@pytest.fixture
def split(tiny_data: Path, tiny_cache: Path) -> CachedSplit:
    """The 14 training pairs, 32x32."""
    return load_split(tiny_data, "train", (32, 32), tiny_cache)


def loader(tiny: list[str], *overrides: str) -> EpochLoader:
    """The training loader of the tiny run."""
    config = load_config([*tiny, *overrides])
    return train_loader(config, CPU)


def epochs(tiny: list[str], *overrides: str, numbers: tuple[int, ...] = (0, 1)) -> list[Batches]:
    """The batches of some epochs of a new training loader."""
    train = loader(tiny, *overrides)
    return [[(images.clone(), masks.clone()) for images, masks in train.epoch(number)] for number in numbers]


def same(one: Batches, two: Batches) -> bool:
    """Whether two epochs are the same, bit for bit and in order."""
    return len(one) == len(two) and all(
        torch.equal(a, b) for first, second in zip(one, two, strict=True) for a, b in zip(first, second, strict=True)
    )


def samples(batches: Batches) -> list[bytes]:
    """Each augmented image with its mask."""
    return [image.numpy().tobytes() + mask.numpy().tobytes() for b in batches for image, mask in zip(*b, strict=True)]


@pytest.mark.parametrize("preset", ["light", "default", "strong"])
def test_the_number_of_workers_never_changes_a_batch(tiny: list[str], preset: str) -> None:
    """Albumentations 2.0.8 left alone draws the same stream in each worker, and another one without workers."""
    alone = epochs(tiny, f"data.augmentation={preset}", "data.num_workers=0")
    assert not same(alone[0], alone[1])
    for workers in (1, 2):
        others = epochs(tiny, f"data.augmentation={preset}", f"data.num_workers={workers}")
        assert same(alone[0], others[0])
        assert same(alone[1], others[1])


@pytest.mark.parametrize("preset", ["light", "default", "strong"])
def test_the_same_run_again_draws_the_same_batches_and_another_seed_others(tiny: list[str], preset: str) -> None:
    first = epochs(tiny, f"data.augmentation={preset}")
    torch.rand(3)  # what else was drawn before does not matter
    np.random.rand(3)
    second = epochs(tiny, f"data.augmentation={preset}")
    assert same(first[0], second[0])
    assert same(first[1], second[1])
    assert not same(first[0], epochs(tiny, f"data.augmentation={preset}", "seed=43")[0])


def test_an_epoch_is_the_same_whether_or_not_those_before_it_were_drawn(tiny: list[str]) -> None:
    in_order, resumed = epochs(tiny, numbers=(0, 1, 2)), epochs(tiny, numbers=(2,))
    assert same(in_order[2], resumed[0])


@pytest.mark.parametrize("preset", ["default", "strong"])
def test_hardly_any_augmented_sample_is_seen_twice(tiny: list[str], preset: str) -> None:
    drawn = [sample for batches in epochs(tiny, f"data.augmentation={preset}") for sample in samples(batches)]
    assert len(set(drawn)) >= 0.95 * len(drawn)


def test_an_image_is_seen_in_all_eight_symmetries(split: CachedSplit) -> None:
    dataset = CrackDataset(split, load_config().data.augmentation, 0, (32, 32))
    seen = {dataset[epoch * len(split)][0].numpy().tobytes() for epoch in range(150)}
    assert len(seen) == 8


def test_whether_one_transform_is_applied_says_nothing_about_another(split: CachedSplit) -> None:
    preset = {"HorizontalFlip": {"p": 0.5}, "InvertImg": {"p": 0.5}}
    dataset, image = CrackDataset(split, preset, 0, (32, 32)), split.image(0).astype(np.int64)
    outcomes = {"plain": image, "flipped": image[:, ::-1], "inverted": 255 - image, "both": 255 - image[:, ::-1]}
    drawn = [dataset[epoch * len(split)][0].numpy() for epoch in range(200)]
    counts = {name: sum(np.array_equal(one, outcome) for one in drawn) for name, outcome in outcomes.items()}
    assert sum(counts.values()) == 200
    assert all(25 < count < 75 for count in counts.values()), counts


@pytest.mark.parametrize("workers", [0, 2])
def test_every_image_comes_once_an_epoch_and_in_another_order_the_next(
    tiny: list[str], split: CachedSplit, workers: int
) -> None:
    drawn = epochs(tiny, "data.augmentation=none", f"data.num_workers={workers}")
    pairs = [split.sample(index) for index in range(len(split))]
    files = [image.tobytes() + mask.tobytes() for image, mask in pairs]
    assert samples(drawn[0]) != samples(drawn[1])
    assert sorted(samples(drawn[0])) == sorted(samples(drawn[1])) == sorted(files)


@pytest.mark.parametrize("preset", ["none", "strong"])
def test_a_batch_is_uint8_images_and_masks_of_0_and_1(tiny: list[str], preset: str) -> None:
    (batches,) = epochs(tiny, f"data.augmentation={preset}", numbers=(0,))
    assert [len(images) for images, _ in batches] == [4, 4, 4, 2]
    for images, masks in batches:
        assert (images.dtype, images.shape[1:]) == (torch.uint8, (32, 32, 3))
        assert (masks.dtype, masks.shape[1:]) == (torch.uint8, (32, 32))
        assert set(masks.unique().tolist()) <= {0, 1}


def test_an_effective_batch_is_batch_size_times_the_accumulated_steps(tiny: list[str]) -> None:
    train = loader(tiny, "training.gradient_accumulation_steps=3")
    assert len(train) == 2
    assert [len(images) for images, _ in train.epoch(0)] == [12, 2]


@pytest.mark.parametrize(
    ("threads", "asked", "train", "val"),
    [("16", "auto", 4, 1), ("4", "auto", 3, 1), ("1", "auto", 1, 1), ("16", "0", 0, 0), ("2", "6", 6, 6)],
)
def test_beside_a_card_processes_load_on_the_runs_own_cores(
    tiny: list[str], threads: str, asked: str, train: int, val: int
) -> None:
    config = load_config([*tiny, f"threads={threads}", f"data.num_workers={asked}"])
    card = torch.device("cuda")
    assert train_loader(config, card)._loader.num_workers == train
    assert scoring_loader(config, "val", card)._loader.num_workers == val
    assert train_loader(config, CPU)._loader.num_workers == (0 if asked == "auto" else train)


def test_a_run_that_may_use_all_cores_counts_those_it_really_has(
    tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("src.data.loader.available_cores", lambda: 3)  # as under taskset
    assert train_loader(load_config([*tiny, "threads=auto"]), torch.device("cuda"))._loader.num_workers == 2


def test_the_scoring_loader_keeps_the_order_and_the_pixels(tiny: list[str], tiny_data: Path, tiny_cache: Path) -> None:
    config = load_config([*tiny, "data.augmentation=strong", "data.batch_size=2"])
    test = load_split(tiny_data, "test", (32, 32), tiny_cache)
    for _ in range(2):
        batches = list(scoring_loader(config, "test", CPU).epoch(0))
        images, masks = (torch.cat(parts).numpy() for parts in zip(*batches, strict=True))
        for index in range(len(test)):
            assert np.array_equal(images[index], test.image(index))
            assert np.array_equal(masks[index], test.mask(index))


def test_making_batches_draws_nothing_from_the_global_generator(tiny: list[str]) -> None:
    before = torch.get_rng_state()
    epochs(tiny, "data.augmentation=strong", "data.num_workers=1", numbers=(0,))
    epochs(tiny, "data.augmentation=strong", numbers=(0,))
    assert torch.equal(torch.get_rng_state(), before)


@settings(deadline=None)
@given(
    size=st.integers(1, 60),
    batch=st.integers(1, 20),
    seed=st.none() | st.integers(0, 2**32 - 1),
    epoch=st.integers(0, 10**6),
)
def test_tickets_hold_the_epoch_and_every_index_once(size: int, batch: int, seed: int | None, epoch: int) -> None:
    batches = EpochBatches(size, batch, seed)
    batches.epoch = epoch
    parts = list(batches)
    tickets = [ticket for part in parts for ticket in part]
    assert len(parts) == len(batches)
    assert all(len(part) == batch for part in parts[:-1])
    assert sorted(divmod(ticket, size) for ticket in tickets) == [(epoch, index) for index in range(size)]
    assert seed is not None or tickets == sorted(tickets)


@pytest.mark.parametrize(
    "message",
    [
        "unable to allocate shared memory(shm) for file </torch_6835_614008253_0>: No space left on device (28)",
        "unable to write to file </torch_18692_1954506624>",
        "DataLoader worker (pid 12) is killed by signal: Bus error. It is possible that dataloader's workers are "
        "out of shared memory. Please try to raise your shared memory limit.",
        "Too many open files. Communication with the workers is no longer possible. Please increase the limit",
    ],
)
def test_what_the_loaders_processes_lack_is_said_with_the_setting(
    tiny: list[str], monkeypatch: pytest.MonkeyPatch, message: str
):
    def starve() -> None:
        raise RuntimeError(message)

    train = loader(tiny)
    monkeypatch.setattr(train, "_loader", (starve() for _ in range(1)))
    with pytest.raises(UserError, match=r"data\.num_workers=0") as caught:
        list(train.epoch(0))
    assert "No space left" not in str(caught.value)  # a sweep would take it for a full disk


def test_another_failure_of_a_loader_stays_what_it_is(tiny: list[str], monkeypatch: pytest.MonkeyPatch):
    def fail() -> None:
        raise RuntimeError("CUDA error: unspecified launch failure")

    train = loader(tiny)
    monkeypatch.setattr(train, "_loader", (fail() for _ in range(1)))
    with pytest.raises(RuntimeError, match="CUDA error"):
        list(train.epoch(0))
