"""Which learning rate and loss suit a tiny U-Net? A first sweep of minutes, on a CPU, with synthetic data if need be.

Expected: two to four minutes on two cores. The best IoU is near 0.6, with learning rates around 1e-2. ASHA stops trials
at the low end of the range after three epochs.
"""

from optuna.distributions import CategoricalDistribution, FloatDistribution

from sweeps.spec import Asha, Budget, SweepSpec

SPEC = SweepSpec(
    fixed=(
        "model.encoder=tiny",
        "model.decoder=tiny",
        "data.image_size=[128,128]",
    ),
    space={
        "training.optimizer.lr_scale": FloatDistribution(0.005, 10.0, log=True),
        "training.loss": CategoricalDistribution(["bce", "dice_bce", "dice_focal"]),
    },
    scheduler=Asha(grace_period=3, reduction_factor=3, max_epochs=18),
    budget=Budget(trials=10),
    synthetic_without_data=True,
)
