"""Which architecture, each with the learning rate that suits its family?

The learning rate is searched relative to that of the encoder's family (``model.encoder.base_lr``): most transformers
need a fifth of the rate of a ResNet. At 512 px and batch size 4 all of these are expected to fit on a card of 8 GB.
"""

from optuna.distributions import CategoricalDistribution, FloatDistribution

from sweeps.spec import Asha, Budget, SweepSpec

ARCHITECTURES = ("unet", "unetplusplus", "manet", "fpn", "deeplabv3plus", "upernet", "segformer", "swin_unet")

SPEC = SweepSpec(
    fixed=("data.batch_size=4", "training.gradient_accumulation_steps=2"),
    space={
        "model": CategoricalDistribution([f"architectures/{name}" for name in ARCHITECTURES]),
        "training.optimizer.lr_scale": FloatDistribution(0.2, 5.0, log=True),
    },
    scheduler=Asha(grace_period=8, reduction_factor=3, max_epochs=72),
    budget=Budget(trials=48),
)
