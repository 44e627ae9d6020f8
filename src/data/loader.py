"""Loads batches of a split as uint8. The training loop splits each effective batch and normalises it."""

import re
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from src.config.schema import Config
from src.cores import available_cores
from src.data.augmentation import build_augmentation, sample_seed, seed_augmentation
from src.data.cache import open_split
from src.data.crops import RandomCrops, TiledSplit
from src.data.files import UInt8Array
from src.errors import UserError

Sample = tuple[Tensor, Tensor]
MOST_WORKERS = 4
"""Worker processes for one training on a GPU, at most. Validation, which only reads, has one."""


SHARED = Path("/dev/shm")
"""Where worker processes share memory."""
NO_SHARED_MEMORY = re.compile(
    r"unable to (allocate|write|mmap|resize) .*(shared memory|shm|torch_)|out of shared memory|Bus error"
)
"""Texts of torch's errors for too little shared memory."""
NO_FILES = re.compile(r"Too many open files")
"""Text of torch's error for too many open files."""


class Source(Protocol):
    """Images of one size with their masks: a resized split, or crops of one."""

    scale: tuple[float, float]

    def __len__(self) -> int: ...

    def sample(self, index: int, epoch: int = 0) -> tuple[UInt8Array, UInt8Array]: ...


class CrackDataset(Dataset[Sample]):
    """Samples of a source, augmented or not: image (H, W, 3) uint8 RGB, mask (H, W) uint8 in {0, 1}.

    An index is a ticket, ``epoch * len(source) + index``. So it tells the epoch to workers that outlive an epoch.
    """

    def __init__(
        self, source: Source, augmentation: dict[str, dict[str, Any]] | None, seed: int, size: tuple[int, int]
    ) -> None:
        self.source = source
        self.seed = seed
        self.augmentation = build_augmentation(augmentation, size) if augmentation else None

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, ticket: int) -> Sample:
        epoch, index = divmod(ticket, len(self.source))
        image, mask = (np.array(kept) for kept in self.source.sample(index, epoch))
        if self.augmentation is not None:
            seed_augmentation(self.augmentation, sample_seed(self.seed, epoch, index))
            augmented = self.augmentation(image=image, mask=mask)
            image, mask = np.ascontiguousarray(augmented["image"]), np.ascontiguousarray(augmented["mask"])
        return torch.from_numpy(image), torch.from_numpy(mask)


class EpochBatches(Sampler[list[int]]):
    """Tickets of one epoch in batches: shuffled by (seed, epoch), or in order where ``seed`` is None.

    The last batch may be smaller; the loss weights images, not batches. A last batch of one image, from which batch
    norm may not be able to learn, is added to the batch before it.
    """

    def __init__(self, size: int, batch_size: int, seed: int | None) -> None:
        self.size, self.batch_size, self.seed = size, batch_size, seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self._starts())

    def _starts(self) -> range:
        rest_of_one = self.size % self.batch_size == 1 and 1 < self.batch_size < self.size
        return range(0, self.size - rest_of_one, self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        order = np.arange(self.size)
        if self.seed is not None:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(self.size)
        tickets = (self.epoch * self.size + order).tolist()
        for start in (starts := self._starts()):
            yield tickets[start:] if start == starts[-1] else tickets[start : start + self.batch_size]


class EpochLoader:
    """A split's batches epoch by epoch: ``images`` (N, H, W, 3) uint8 and ``masks`` (N, H, W) uint8 in {0, 1}."""

    def __init__(self, dataset: CrackDataset, batches: EpochBatches, workers: int, pin_memory: bool) -> None:
        self.dataset, self.batches = dataset, batches
        self._loader: DataLoader[Sample] = DataLoader(
            dataset,
            batch_sampler=batches,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=pin_memory,
            generator=torch.Generator(),  # its own, because making an iterator draws a number
            timeout=300 if workers else 0,  # seconds; a worker that hangs becomes an error
        )

    def __len__(self) -> int:
        return len(self.batches)

    def epoch(self, epoch: int) -> Iterator[Sample]:
        """The batches of one epoch (any number: it chooses the order and the augmentations)."""
        self.batches.epoch = epoch
        try:
            yield from self._loader
        except (RuntimeError, OSError) as error:
            raise_shortage(str(error))
            raise


def raise_shortage(message: str) -> None:
    """Raise a ``UserError`` with the cure if an error means too little shared memory or too many open files.

    Workers pass images through ``/dev/shm``, which has only 64 MiB by default in a container.
    """
    if NO_SHARED_MEMORY.search(message):
        size = shutil.disk_usage(SHARED).total // 2**20 if SHARED.is_dir() else 0
        raise UserError(
            f"The processes that load images have too little shared memory: {SHARED} has {size} MiB. Set "
            "data.num_workers=0, or enlarge it: docker run --shm-size=2g."
        )
    if NO_FILES.search(message):
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        raise UserError(
            f"The processes that load images need more open files than the {most} that are allowed. Set "
            "data.num_workers=0, or raise the limit: ulimit -n 4096."
        )


def train_loader(config: Config, device: torch.device) -> EpochLoader:
    """Augmented, shuffled effective batches of the training split: ``batch_size * accumulation_steps`` images each."""
    data, seed = config.data, config.seed
    split = open_split(data, "train")
    source = split if data.crop.name == "none" else RandomCrops(split, data.image_size, data.crop, seed)
    dataset = CrackDataset(source, data.augmentation, seed, data.image_size)
    batches = EpochBatches(len(source), data.batch_size * config.training.gradient_accumulation_steps, seed)
    return _loader(dataset, batches, config, device, most=MOST_WORKERS)


def scoring_loader(config: Config, split_name: str, device: torch.device) -> EpochLoader:
    """A split in order and without augmentation, for validation and test; with crops, tiles of all photographs."""
    data = config.data
    split = open_split(data, split_name)
    source = split if data.crop.name == "none" else TiledSplit(split, data.image_size)
    dataset = CrackDataset(source, None, 0, data.image_size)
    batches = EpochBatches(len(source), data.batch_size, None)
    return _loader(dataset, batches, config, device, most=1)


def _loader(
    dataset: CrackDataset, batches: EpochBatches, config: Config, device: torch.device, most: int
) -> EpochLoader:
    """``data.num_workers=auto``: at most ``most`` processes on a GPU, leaving one core for the training itself."""
    cores = available_cores() if config.threads == "auto" else config.threads
    beside_card = min(most, max(1, cores - 1)) if device.type == "cuda" else 0
    workers = beside_card if config.data.num_workers == "auto" else config.data.num_workers
    return EpochLoader(dataset, batches, workers, pin_memory=device.type == "cuda")
