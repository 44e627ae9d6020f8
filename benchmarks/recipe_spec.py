"""Which learning rate suits a small U-Net? The search of ``benchmarks/ray_recipe.py`` as a sweep of this project."""

from optuna.distributions import FloatDistribution

from benchmarks.ray_recipe import DECODER, ENCODER, LEARNING_RATES
from sweeps.spec import Asha, Budget, SweepSpec

SPEC = SweepSpec(
    fixed=(
        f"model.encoder.name={ENCODER}",
        "model.encoder.pretrained=false",
        f"model.decoder.decoder_channels={list(DECODER)}".replace(" ", ""),
        "training.loss=dice",
        "data.image_size=[96,96]",
        "data.batch_size=8",
    ),
    space={"training.optimizer.lr": FloatDistribution(*LEARNING_RATES, log=True)},
    scheduler=Asha(grace_period=3, reduction_factor=4, max_epochs=12),
    budget=Budget(trials=8, trials_at_once=2),
    metric="val/iou",  # at 0.5, as the recipe's
)
