"""Which optimizer, each with the parameters that only it has?

The learning rate is searched relative to the one in the optimizer's file, because those of AdamW and SGD differ by an
order of magnitude. The space is conditional: momentum is searched only for SGD, whose range of weight decay also
differs.
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
