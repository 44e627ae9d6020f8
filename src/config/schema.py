"""The schema of the configuration: its keys and legal values. The values themselves are in ``configs/``."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from src.rankable import RANKABLE

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]
LossNumber = Annotated[float, Field(ge=0, le=1e6, strict=True)]
"""A weight or parameter of a loss. Larger ones, times logits and pixels, could exceed the range of float32."""
Share = Annotated[float, Field(ge=0, le=1, strict=True)]
Decay = Annotated[float, Field(ge=0, lt=1, strict=True)]
Count = Annotated[int, Field(ge=1, strict=True)]
Side = Annotated[int, Field(ge=16, le=8192, strict=True)]
Rgb = tuple[float, float, float]
LOSS = "val/loss"
"""An epoch can be chosen by it, but not a configuration: other losses have other scales."""
SPLITS = ("train", "val", "test")
Split = Literal["train", "val", "test"]


def squared(value: object) -> object:
    """Turn one number into the two sides of a square; return anything else unchanged."""
    return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value


class Section(BaseModel):
    """A part of the configuration: read-only, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class NoCrop(Section):
    name: Literal["none"]


class RandomCrop(Section):
    name: Literal["random"]
    per_photograph: Literal["auto"] | Count
    """Crops per photograph and epoch; ``auto``: as many as cover the photograph."""


class CrackCrop(Section):
    name: Literal["crack"]
    per_photograph: Literal["auto"] | Count
    crack_share: Share
    """Share of the crops that contain a crack pixel; the others are anywhere."""


class Data(Section):
    root: Path
    image_size: Annotated[tuple[Side, Side], BeforeValidator(squared)]
    """Height and width in pixels of the network's input. Images are resized to it when they are cached, or cropped.

    One number means a square.
    """
    bits: Literal[8, 10, 12, 14, 16] | None
    """Bits in use in 16-bit photographs, such as 12 of a 12-bit camera. Null: 16, and fewer are an error."""
    crop: Annotated[NoCrop | RandomCrop | CrackCrop, Field(discriminator="name")]
    batch_size: Annotated[int, Field(ge=1, le=65536, strict=True)]
    num_workers: Literal["auto"] | Annotated[int, Field(ge=0, le=256, strict=True)]
    cache_dir: Path
    mean: Rgb
    std: tuple[Positive, Positive, Positive]
    augmentation: dict[str, dict[str, Any]]
    """Transforms of Albumentations with their keyword arguments, in the order of application."""


class SmpEncoder(Section):
    name: str
    pretrained: Literal["auto"] | bool
    depth: Annotated[int, Field(ge=3, le=5, strict=True)]
    base_lr: Positive
    kwargs: dict[str, Any]
    """Further keyword arguments of timm's encoders (``tu-...``), such as ``img_size``."""


class SwinEncoder(Section):
    name: str
    pretrained: Literal["auto"] | bool
    base_lr: Positive
    embed_dim: Annotated[int, Field(ge=8, multiple_of=8, strict=True)]
    depths: tuple[Count, Count, Count, Count]
    num_heads: tuple[Count, Count, Count, Count] | None
    window_size: Literal["auto"] | Annotated[int, Field(ge=2, strict=True)]
    drop_path_rate: Annotated[float, Field(ge=0, lt=1, strict=True)]


class SwinDecoder(Section):
    depths: tuple[Count, Count, Count]


SmpArchitecture = Literal[
    "unet",
    "unetplusplus",
    "manet",
    "linknet",
    "fpn",
    "pspnet",
    "deeplabv3",
    "deeplabv3plus",
    "pan",
    "upernet",
    "segformer",
    "dpt",
]


class Model(Section):
    """What is the same for all architectures."""

    checkpoint_path: Path | None
    init_from: str | None
    """A file, a folder, or a name on the Hugging Face hub (``src.models.start``)."""


class SmpModel(Model):
    architecture: SmpArchitecture
    encoder: SmpEncoder
    decoder: dict[str, Any]
    """Keyword arguments of the architecture's class in segmentation-models-pytorch."""


class SwinUnetModel(Model):
    architecture: Literal["swin_unet"]
    encoder: SwinEncoder
    decoder: SwinDecoder


class Optimizer(Section):
    name: str
    lr: Positive
    """Learning rate after the warm-up; the optimizer gets ``lr * lr_scale``."""
    lr_scale: Positive
    encoder_lr_mult: Positive
    """Factor of the encoder's learning rate relative to the rest of the network."""
    layer_decay: Annotated[float, Field(gt=0, le=1, strict=True)]
    """Factor of the learning rate of each block of a Swin encoder relative to the next; 1 for other networks."""
    weight_decay: NotNegative
    momentum: Decay | None = None
    """This key and those below belong to some optimizers only; see the files in ``configs/training/optimizer``."""
    nesterov: bool | None = None
    alpha: Decay | None = None
    """Of rmsprop: decay of the running mean of squared gradients."""
    centered: bool | None = None
    betas: tuple[Decay, Decay] | None = None
    """Decay of the running means of gradients and of squared gradients."""
    eps: Positive | None = None
    amsgrad: bool | None = None
    kwargs: dict[str, Any] = {}
    """Keyword arguments of an optimizer of timm that has no file."""

    @property
    def own(self) -> dict[str, Any]:
        """The keys that not all optimizers have, as keyword arguments of the optimizer's class."""
        return {name: value for name in OWN if (value := getattr(self, name)) is not None} | self.kwargs

    @property
    def keeps(self) -> dict[str, bool]:
        """The keys that decide, with the name, which tensors the optimizer keeps for each weight."""
        return {name: bool(value) for name, value in self.own.items() if name in ("momentum", "amsgrad", "centered")}

    @model_validator(mode="after")
    def check_nesterov(self) -> "Optimizer":
        """Nesterov momentum needs a momentum above 0."""
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov=true needs a momentum above 0; without momentum set nesterov=false")
        return self


OWN = ("momentum", "nesterov", "alpha", "centered", "betas", "eps", "amsgrad")
"""The keys of ``Optimizer`` that not all optimizers have."""


class Cosine(Section):
    name: Literal["cosine"]
    warmup_fraction: Share
    min_lr_ratio: Share


class Poly(Section):
    name: Literal["poly"]
    warmup_fraction: Share
    min_lr_ratio: Share
    power: Positive


class Constant(Section):
    name: Literal["constant"]
    warmup_fraction: Share


class Step(Section):
    name: Literal["step"]
    warmup_fraction: Share
    every_fraction: Annotated[float, Field(gt=0, le=1, strict=True)]
    decay_rate: Annotated[float, Field(gt=0, le=1, strict=True)]


class MultiStep(Section):
    name: Literal["multistep"]
    warmup_fraction: Share
    milestone_fractions: Annotated[tuple[Share, ...], Field(min_length=1)]
    decay_rate: Annotated[float, Field(gt=0, le=1, strict=True)]


class OneCycle(Section):
    name: Literal["one_cycle"]
    warmup_fraction: Share
    start_lr_ratio: Share
    min_lr_ratio: Share


class Plateau(Section):
    name: Literal["plateau"]
    warmup_fraction: Share
    patience: Count
    """Epochs without a better ``training.metric`` after which the learning rate is lowered."""
    decay_rate: Annotated[float, Field(gt=0, lt=1, strict=True)]
    min_lr_ratio: Share


LrScheduler = Cosine | Poly | Constant | Step | MultiStep | OneCycle | Plateau


def can_be_monitored(metric: str) -> str:
    """The metric key itself; a ``ValueError`` for one that no epoch can be chosen by."""
    if metric not in (legal := [*RANKABLE, LOSS]):
        raise ValueError(f"must be one of {', '.join(legal)}")
    return metric


class Metric(Section):
    monitor: Annotated[str, AfterValidator(can_be_monitored)]
    mode: Literal["max", "min"]

    @model_validator(mode="after")
    def check_direction(self) -> "Metric":
        """Maximising a loss, or minimising a score, would keep the worst epoch."""
        if (self.monitor == LOSS) != (self.mode == "min"):
            raise ValueError(f"{self.monitor} cannot be chosen by its {self.mode}imum")
        return self


class Training(Section):
    epochs: Count
    mixed_precision: Literal["auto", "bf16", "fp16"] | bool
    gradient_accumulation_steps: Count
    clip_grad_norm: Positive | None
    ema_decay: Annotated[float, Field(gt=0, lt=1, strict=True)] | None
    precise_batch_norm: bool
    early_stopping_patience: Count | None
    deterministic: bool
    log_gpu_memory: bool
    compile: bool
    resume_from: Path | None
    optimizer: Optimizer
    lr_scheduler: Annotated[LrScheduler, Field(discriminator="name")]
    loss: Annotated[dict[str, dict[str, LossNumber]], Field(min_length=1)]
    """Terms of ``src.training.losses.LOSSES`` with their weights and parameters."""
    metric: Metric


MetricName = Literal[
    "iou",
    "f1",
    "precision",
    "recall",
    "iou_image",
    "miou_two_class",
    "ap",
    "ods",
    "ois",
    "f1_2px",
    "f1_5px",
    "cldice",
    "cliou_4px",
]


class Evaluation(Section):
    split: Split
    metrics: Annotated[tuple[MetricName, ...], Field(min_length=1)]
    tta: Literal["none", "flips", "d4"]
    """Test-time augmentation: the mean over 1, 4 or 8 mirrored and turned views of each image."""
    resolution: Literal["auto", "image_size", "native"]
    """Score images at ``data.image_size``, or whole photographs at their own size, in tiles."""
    overlap: Annotated[float, Field(ge=0, le=0.9, strict=True)]
    """Overlap of tiles as a share of their side, for whole photographs."""
    save_predictions: bool
    save_confusion_matrix: bool


class Config(Section):
    """The configuration of a run. ``src.config.compose.load_config`` loads it."""

    experiment_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
    output_root: Path
    seed: Annotated[int, Field(ge=0, lt=2**32, strict=True)]
    device: Literal["auto", "cpu", "cuda"]
    threads: Literal["auto"] | Annotated[int, Field(ge=1, le=1024, strict=True)]
    listeners: tuple[Literal["mlflow", "wandb"], ...]
    """Programs that are told of each epoch, beside the run's folder."""
    data: Data
    model: Annotated[SmpModel | SwinUnetModel, Field(discriminator="architecture")]
    training: Training
    evaluation: Evaluation

    @property
    def native(self) -> bool:
        """Whether whole photographs are scored; with ``auto``, if the network is trained on crops."""
        wanted = self.evaluation.resolution
        return wanted == "native" or (wanted == "auto" and self.data.crop.name != "none")

    @model_validator(mode="after")
    def check_resolution(self) -> "Config":
        """A network trained on crops has never seen whole photographs shrunk to the size of a crop."""
        if self.evaluation.resolution == "image_size" and self.data.crop.name != "none":
            raise ValueError("evaluation.resolution=image_size cannot be used with data.crop: choose auto or native")
        return self
