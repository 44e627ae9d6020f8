"""The training loop: one epoch at a time, in mixed precision, with exact gradient accumulation.

``Trainer.train_epoch`` returns an ``EpochReport``. The same trainer is used by run.py, by trials and by retrain-best.
"""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from timm.utils.model_ema import ModelEmaV3
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from src.config.schema import Config
from src.data.cache import data_fingerprint
from src.data.loader import scoring_loader, train_loader
from src.errors import UserError
from src.models.checkpoint import load_training, save_checkpoint
from src.models.device import choose_device, choose_layout, choose_precision, gpu_memory, use_precision, use_threads
from src.models.micro_batch import MicroBatch, StepState, micro_batches
from src.models.registry import smallest_micro_batch
from src.models.start import starting_network
from src.scoring.inference import load_weights, predict_probs, to_network
from src.scoring.metrics import validation_scores
from src.training.batch_norm import PreciseBatchNorm
from src.training.losses import build_loss
from src.training.optimization import Plateau, build_lr_scheduler, build_optimizer, order_like_weights
from src.training.preconditions import check_trainable
from src.training.randomness import random_state, restore_random_state, seed_everything
from src.training.validation import Scored, Validation


class Diverged(Exception):
    """Raised when the loss is no longer finite: this configuration cannot be trained."""


@dataclass(frozen=True)
class EpochReport:
    """The result of one epoch. Keys of ``metrics`` are TensorBoard paths: train/loss, val/loss, val/iou, lr, ..."""

    epoch: int
    """Completed epochs, from 1."""
    metrics: dict[str, float]
    is_best: bool
    """Whether ``training.metric`` is the best so far."""
    shown: Tensor | None = None
    """Probabilities (K, H, W) of the images ``Validation.shown``, in CPU memory; None without any."""


class Trainer:
    """The state of a training on a device: everything that a checkpoint stores."""

    def __init__(self, config: Config, overrides: Iterable[str]) -> None:
        self.config, self.overrides = config, list(overrides)
        self.device = choose_device(config.device)
        check_trainable(config, self.device)
        use_threads(config)
        seed_everything(config.seed, config.training.deterministic)
        training = config.training
        self.train_loader = train_loader(config, self.device)
        self.val_loader = scoring_loader(config, "val", self.device)
        self.data_fingerprint = data_fingerprint(config.data)
        model, self.start = starting_network(config)
        layout = choose_layout(model, config.model.architecture, self.device)
        self.model = cast(Any, model).to(self.device, memory_format=layout)
        self.loss = build_loss(training.loss).to(self.device)
        self.optimizer = build_optimizer(self.model, training)
        self.lr_scheduler = build_lr_scheduler(self.optimizer, training, len(self.train_loader))
        self.dtype = choose_precision(training.mixed_precision, self.device)
        use_precision(self.dtype)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)
        self.ema = ModelEmaV3(self.model, decay=training.ema_decay, use_warmup=True) if training.ema_decay else None
        if training.compile:
            self.model.compile()
        self.micro_batch = MicroBatch(config.data.batch_size, smallest_micro_batch(config))
        self.validation = Validation(self.val_loader, config.data, self.loss, self.dtype)
        self.before_step = StepState(self.model, self.device)
        precise = training.precise_batch_norm
        self.batch_norm = PreciseBatchNorm(config.data, smallest_micro_batch(config)) if precise else None
        self.epoch = self.step = 0
        self.best_epoch, self.best_score, self.threshold = 0, -math.inf, 0.5
        if training.resume_from is not None:
            self.load(training.resume_from)

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or ``training.metric`` has not improved for the patience."""
        patience = self.config.training.early_stopping_patience
        stale = patience is not None and self.epoch - self.best_epoch >= patience
        return self.epoch >= self.config.training.epochs or stale

    def train_epoch(self, on_step: Callable[[int, int], None] | None = None) -> EpochReport:
        """Train on every image or crop once, then validate.

        ``on_step(done, total)`` is called after each optimizer step.
        Steps whose loss is not finite, as when fp16 overflows, are not counted in ``train/loss``. If they are at least
        half of the epoch, or the validation loss is not finite, ``Diverged`` is raised at the end of the epoch.
        """
        started = time.perf_counter()
        lr = max(float(group["lr"]) for group in self.optimizer.param_groups)
        self.model.train()
        total, left_out = torch.zeros((), device=self.device), torch.zeros((), device=self.device)
        for done, (images, masks) in enumerate(self.train_loader.epoch(self.epoch), start=1):
            loss = self._train_step(images, masks)
            finite = loss.isfinite()
            total += torch.where(finite, loss, 0.0) * len(images)
            if self.batch_norm is not None:
                self.batch_norm.add(images)
            left_out += ~finite * len(images)
            if on_step:
                on_step(done, len(self.train_loader))
        size = len(self.train_loader.dataset)
        sound = size - float(left_out)  # the first synchronisation with the device in this epoch
        train_loss = float(total) / sound if 2 * sound > size else math.nan
        trained = time.perf_counter()
        scored = self._validate()
        val_loss, histogram = scored.loss, scored.histogram
        if not (math.isfinite(train_loss) and math.isfinite(val_loss)):
            raise Diverged(f"epoch {self.epoch + 1}: train/loss={train_loss}, val/loss={val_loss}")
        self.epoch += 1
        metrics = {"train/loss": train_loss, "val/loss": val_loss, **validation_scores(histogram), "lr": lr}
        if self.micro_batch.size < self.config.data.batch_size:
            metrics["micro_batch"] = float(self.micro_batch.size)
        is_best = self._keep_best(metrics)
        if self.config.training.log_gpu_memory:
            metrics |= gpu_memory(self.device)
        times = {"epoch_seconds": time.perf_counter() - started, "images_per_second": size / (trained - started)}
        return EpochReport(self.epoch, metrics | times, is_best, scored.shown)

    def _validate(self) -> Scored:
        if self.batch_norm is not None:
            self.batch_norm.recount(self.scored_model, self.dtype, self.micro_batch.size)
        return self.validation.score(self.scored_model)

    @property
    def scored_model(self) -> nn.Module:
        """The network that is validated and saved: the averaged one if ``training.ema_decay`` is set."""
        return self.ema.module if self.ema is not None else self.model

    def predict(self, images: Tensor) -> Tensor:
        """Probabilities (N, 1, H, W) of uint8 images (N, H, W, 3), by ``scored_model``."""
        return predict_probs(self.scored_model.eval(), images, self.config.data, self.dtype)

    def save(self, path: Path) -> None:
        """Write the checkpoint: what ``load`` needs to continue exactly, and what evaluation needs."""
        save_checkpoint(self.snapshot(), path)

    def snapshot(self) -> dict[str, Any]:
        """The current content of a checkpoint; its tensors are copies in CPU memory."""
        payload = {
            "overrides": self.overrides,
            "epoch": self.epoch,
            "step": self.step,
            "best_epoch": self.best_epoch,
            "best_score": self.best_score,
            "micro_batch": self.micro_batch.size,
            "monitor": self.config.training.metric.monitor,
            "threshold": self.threshold,
            "model": self.model.state_dict(),
            "ema": self.ema.module.state_dict() if self.ema is not None else None,
            "optimizer": self.optimizer.state_dict(),
            # the other schedules have no state
            "lr_scheduler": self.lr_scheduler.state_dict() if isinstance(self.lr_scheduler, Plateau) else {},
            "scaler": self.scaler.state_dict(),
            "random": random_state(self.device),
            "data_fingerprint": self.data_fingerprint,
            "scale": list(self.train_loader.dataset.source.scale),
        }
        return tree_map_only(Tensor, lambda item: item.detach().to("cpu", copy=True), payload)

    def load(self, path: Path) -> None:
        """Continue after the checkpoint's epoch. Other shapes of weights, or other data, are a ``UserError``.

        Settings are those of the configuration, not of the checkpoint: a changed weight decay or metric applies from
        here on.
        """
        payload = load_training(path)
        if payload["data_fingerprint"] != self.data_fingerprint:
            raise UserError(f"{path} was trained on other data than data.root={self.config.data.root} holds now.")
        load_weights(self.model, payload["model"], path)
        if self.ema is not None:
            load_weights(self.ema.module, payload["ema"] or payload["model"], path)
        try:
            self._restore(payload)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(f"{path} is of another optimizer or schedule, or it is damaged: {error!r}.") from error

    def _restore(self, payload: dict[str, Any]) -> None:
        """Restore everything in a checkpoint except the weights."""
        state = payload["optimizer"]
        groups = zip(state["param_groups"], self.optimizer.param_groups, strict=True)
        own = [{**group, "params": saved["params"]} for saved, group in groups]
        self.optimizer.load_state_dict({**state, "param_groups": own})
        order_like_weights(self.optimizer)
        if payload["scaler"]:  # empty if the checkpoint's run needed none
            self.scaler.load_state_dict(payload["scaler"])
        self.epoch, self.step, self.threshold = payload["epoch"], payload["step"], payload["threshold"]
        if payload["monitor"] == self.config.training.metric.monitor:  # scores of another metric cannot be compared
            self.best_epoch, self.best_score = payload["best_epoch"], payload["best_score"]
        self.micro_batch.size = min(self.micro_batch.size, payload["micro_batch"])
        self.lr_scheduler.load_state_dict(payload["lr_scheduler"])
        self.lr_scheduler.step_update(self.step)
        restore_random_state(payload["random"], self.device)

    def _train_step(self, images: Tensor, masks: Tensor) -> Tensor:
        """One optimizer step on an effective batch; the mean loss per image, left on the device.

        Each micro-batch is weighted by its share of the images, so the gradient equals that of the whole batch (except
        for batch norm), also for the smaller last batch of an epoch. When memory runs out, the batch is repeated with
        micro-batches of half the size.
        """
        self.before_step.save()

        def reset_step() -> None:
            self.optimizer.zero_grad(set_to_none=True)
            self.before_step.restore()

        def accumulate(size: int) -> Tensor:
            loss = torch.zeros((), device=self.device)
            for micro_images, micro_masks in micro_batches(images, masks, size, self.micro_batch.smallest):
                inputs, targets = to_network(micro_images, micro_masks, self.config.data, self.model)
                with torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None):
                    logits = self.model(inputs)
                share = self.loss(logits, targets) * (len(micro_images) / len(images))
                self.scaler.scale(share).backward()
                loss += share.detach()
            return loss

        loss = self.micro_batch.run(accumulate, undo=reset_step)
        self._update()
        return loss

    def _update(self) -> None:
        clip = self.config.training.clip_grad_norm
        if clip is not None:
            self.scaler.unscale_(self.optimizer)  # clip the true gradients, not the scaled ones
            nn.utils.clip_grad_norm_(self.model.parameters(), clip)
        scale = self.scaler.get_scale()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        if self.scaler.get_scale() >= scale:  # a lowered scale means that fp16 overflowed and the step was skipped
            self.step += 1
            self.lr_scheduler.step_update(self.step)
            if self.ema is not None:
                self.ema.update(self.model, step=self.step)

    def _keep_best(self, metrics: dict[str, float]) -> bool:
        metric = self.config.training.metric
        score = metrics[metric.monitor] * (1 if metric.mode == "max" else -1)
        self.lr_scheduler.step(self.epoch, score)  # only the plateau schedule uses it
        self.threshold = metrics["val/threshold"]
        if score <= self.best_score:
            return False
        self.best_epoch, self.best_score = self.epoch, score
        return True
