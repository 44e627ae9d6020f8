"""Which encoder under a U-Net, each with the learning rate that suits it?

The best learning rates of encoder families differ by an order of magnitude, so the rate is searched relative to that of
the family (``model.encoder.base_lr``). No encoder loses because the rate suits another one.
"""

from optuna.distributions import CategoricalDistribution, FloatDistribution

from sweeps.spec import Asha, Budget, SweepSpec

SPEC = SweepSpec(
    fixed=("model=architectures/unet",),
    space={
        "model.encoder": CategoricalDistribution(
            ["resnet18", "resnet34", "resnet50", "efficientnet_b0", "mobilenet_v2", "mit_b0", "convnext_tiny"]
        ),
        "training.optimizer.lr_scale": FloatDistribution(0.2, 5.0, log=True),
        "model.decoder.decoder_attention_type": CategoricalDistribution([None, "scse"]),
    },
    scheduler=Asha(grace_period=8, reduction_factor=3, max_epochs=72),
    budget=Budget(trials=40),
)
