"""Which optimizer, each with the parameters that only it has?

The rate is searched relative to that of the optimizer's own file, as those of AdamW and SGD lie an order of magnitude
apart. What depends on the choice is asked only where it applies: SGD's momentum, and another range of weight decay.
"""

from optuna import Trial

from sweeps.spec import Asha, Budget, SweepSpec


def space(trial: Trial) -> None:
    optimizer = trial.suggest_categorical("training.optimizer", ["adamw", "nadamw", "lion", "sgd"])
    trial.suggest_float("training.optimizer.lr_scale", 0.1, 10.0, log=True)
    if optimizer == "sgd":
        trial.suggest_float("training.optimizer.momentum", 0.8, 0.99)
        trial.suggest_float("training.optimizer.weight_decay", 1e-5, 1e-2, log=True)
    else:
        trial.suggest_float("training.optimizer.weight_decay", 1e-3, 1e-1, log=True)


SPEC = SweepSpec(
    fixed=("model=architectures/unet",),
    space=space,
    scheduler=Asha(grace_period=8, reduction_factor=3, max_epochs=72),
    budget=Budget(trials=40),
)
