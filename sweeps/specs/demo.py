"""Which learning rate and loss suit a small U-Net on your photographs? A first look in minutes, by `make demo`.

The network is tiny and sees the photographs at 256 x 256 pixels, so that a CPU can train it: it shows how a sweep goes
and what its report says. For use in the field go on with a larger network at a size at which cracks are wide enough,
such as swin_unet_lr or unet_encoder on a graphics card.
"""

from optuna.distributions import CategoricalDistribution, FloatDistribution

from sweeps.spec import Asha, Budget, SweepSpec

SPEC = SweepSpec(
    fixed=(
        "model.encoder=tiny",
        "model.decoder=tiny",
        "data.image_size=[256,256]",
    ),
    space={
        "training.optimizer.lr_scale": FloatDistribution(0.005, 10.0, log=True),
        "training.loss": CategoricalDistribution(["bce", "dice_bce", "dice_focal"]),
    },
    scheduler=Asha(grace_period=3, reduction_factor=3, max_epochs=18),
    budget=Budget(trials=10),
)
