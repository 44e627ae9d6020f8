"""Which small network and training suit these cracks? The space of ``benchmarks.crack_table``, as a user would draw it.

All of it trains in half a minute on one core: networks of 0.2 to 0.6 million parameters, from scratch, at 96 px.
"""

from optuna import Trial

from sweeps.spec import Asha, Budget, SweepSpec

ENCODERS = ("tu-test_resnet", "tu-test_byobnet", "tu-test_efficientnet", "tu-test_convnext")


def space(trial: Trial) -> None:
    trial.suggest_categorical("model.encoder.name", ENCODERS)
    optimizer = trial.suggest_categorical("training.optimizer", ["adamw", "sgd"])
    trial.suggest_float("training.optimizer.lr_scale", 0.03, 30.0, log=True)
    trial.suggest_float("training.optimizer.weight_decay", 1e-5, 1e-1, log=True)
    if optimizer == "sgd":
        trial.suggest_float("training.optimizer.momentum", 0.5, 0.99)
    trial.suggest_categorical("training.loss", ["bce", "dice_bce", "dice_focal", "focal_tversky"])
    trial.suggest_categorical("data.augmentation", ["none", "light", "strong"])
    trial.suggest_int("data.batch_size", 2, 16, log=True)


SPEC = SweepSpec(
    fixed=("model.encoder=tiny", "model.decoder=tiny", "data.image_size=[96,96]", "threads=1"),
    space=space,
    scheduler=Asha(grace_period=3, reduction_factor=3, max_epochs=27),
    budget=Budget(trials=40),
)
