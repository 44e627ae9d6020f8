"""What the sections of the card check share: small trainings, and the memory of the card."""

import gc
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from traceback import extract_tb
from typing import NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.card.place import FAILED, Place, read_figures
from benchmarks.training_speed import settle
from src.config.compose import load_config
from src.config.overrides import Overrides
from src.synthetic import SPLIT_CYCLE, write_dataset
from src.training.trainer import Trainer

MIB = 2**20
GIB = 2**30
TINY = ("model.encoder=tiny", "model.decoder=tiny")
SECONDS_TO_FREE = 10.0
"""To wait for the memory of a process that was killed."""


class Size(NamedTuple):
    """How large a training is: pixels of a side, images a batch, and which data set."""

    side: int
    batch: int
    images: str = "small"


class Bench(Place):
    """The trainings of a section."""

    def attempt(self, part: str, work: Callable[[], object]) -> bool:
        """Do a part of a section, if it is one of those to do; whether it is.

        What it raises becomes a line of the figure ``failed``, and the next part goes on.
        """
        self.met.append(part)
        if self.parts and part not in self.parts:
            return False
        failed = read_figures(self.findings).get(FAILED, [])
        try:
            work()
        except Exception as error:
            place = extract_tb(error.__traceback__)[-1]
            failed.append(f"{part}: {one_line(error)} ({Path(place.filename).name}:{place.lineno})")
        self.note(FAILED, failed)
        clear()
        return True

    def trainer(self, words: Sequence[str], size: Size) -> Trainer:
        """A training of these overrides on synthetic cracks, not begun yet."""
        chosen = Overrides.parse(words).get("model") is not None
        overrides = [*words, *self.overrides(size), *(TINY if self.dry and not chosen else ())]
        return Trainer(load_config(overrides), overrides)

    def overrides(self, size: Size) -> list[str]:
        """Data, sizes and places of a run."""
        if self.dry:
            size = Size(64, min(size.batch, 2), "tiny")
        return [
            f"data.root={self.data(size.images)}",
            f"data.cache_dir={self.work / 'cache'}",
            f"output_root={self.work / 'outputs'}",
            f"data.image_size=[{size.side},{size.side}]",
            f"data.batch_size={size.batch}",
            "model.encoder.pretrained=false",
        ]

    def data(self, name: str) -> Path:
        """A data set of 20 (tiny), 120 (small) or 400 images (large), drawn at the first call."""
        root = self.work / name
        if not root.is_dir():
            images, side = {"tiny": (20, 64), "small": (120, 128), "large": (40, 256)}[name]
            drawn = self.work / f"{name}-drawn"
            write_dataset(drawn, images=images, seed=1, size=side)
            if name == "large":
                repeat(drawn, 10)
            drawn.rename(root)
        return root

    def cap(self, gib: float) -> None:
        """Let torch use no more of the card than this; contexts are not counted."""
        if not self.dry:
            total = torch.cuda.get_device_properties(0).total_memory
            torch.cuda.set_per_process_memory_fraction(min(1.0, gib * GIB / total))


def repeat(root: Path, times: int) -> None:
    """Let every image stand in its split so many times: long epochs without the time that drawing takes."""
    for split in sorted(set(SPLIT_CYCLE)):
        for kind in ("images", "masks"):
            for path in sorted((root / split / kind).glob("?????.png")):
                for number in range(1, times):
                    shutil.copyfile(path, path.with_name(f"{path.stem}-{number}.png"))


def first_batch(trainer: Trainer) -> tuple[Tensor, Tensor]:
    """Images and masks as the loader gives them."""
    return next(iter(trainer.train_loader.epoch(0)))


def train_step(trainer: Trainer, batch: tuple[Tensor, Tensor]) -> Tensor:
    """One optimizer step of the real training; the loss stays on the device."""
    trainer.model.train()
    return trainer._train_step(*batch)  # pyright: ignore[reportPrivateUsage]


def flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([item.detach().float().flatten().cpu() for item in tensors])


def weights(model: nn.Module) -> Tensor:
    return flat(list(model.state_dict().values()))


def finish() -> None:
    """Wait for the card, if there is one."""
    settle(torch.device("cuda" if torch.cuda.is_available() else "cpu"))


def clear() -> None:
    """Give back what nothing refers to any more, and begin to count the most memory anew."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def card_mib() -> float:
    """MiB in use on the whole card, all contexts among them; 0 without a card."""
    if not torch.cuda.is_available():
        return 0.0
    free, total = torch.cuda.mem_get_info()
    return (total - free) / MIB


def card_mib_outside() -> float:
    """The same, asked without a context of its own. It is 0 where nvidia-smi does not answer."""
    query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, check=True, timeout=20)
        return float(done.stdout.split()[0])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return 0.0


def one_line(error: Exception) -> str:
    """An error's type and the first of its lines; what a full card holds is left out."""
    said = str(error).strip().partition("\n")[0].partition(" GPU ")[0]
    return f"{type(error).__name__}: {said[:160]}"
