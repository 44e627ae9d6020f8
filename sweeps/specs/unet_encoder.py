"""Which encoder under a U-Net, each with the learning rate that suits it?

Encoders of different families want learning rates an order of magnitude apart, so the rate is searched relative to the
family's own (``model.encoder.base_lr``): a good encoder cannot lose by a rate that suits another.
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
