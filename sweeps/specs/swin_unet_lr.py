"""Which learning rate, and which regularisation with it, trains Swin-UNet best?

A transformer needs another learning rate than a CNN, with random or ImageNet weights, and a wrong learning rate harms
more than any other wrong choice. Expected: a night on an 8 GB card at 512x512 with a few hundred photographs (not
measured yet).
"""

from optuna.distributions import CategoricalDistribution, FloatDistribution

from sweeps.spec import Asha, Budget, SweepSpec

SPEC = SweepSpec(
    fixed=("model=architectures/swin_unet", "data.batch_size=4", "training.gradient_accumulation_steps=2"),
    space={
        "training.optimizer.lr": FloatDistribution(5e-5, 2e-3, log=True),
        "training.optimizer.weight_decay": FloatDistribution(1e-3, 1e-1, log=True),
        "training.lr_scheduler.warmup_fraction": FloatDistribution(0.02, 0.1),
        "model.encoder.drop_path_rate": CategoricalDistribution([0.0, 0.1, 0.2, 0.3]),
        "training.clip_grad_norm": CategoricalDistribution([None, 1.0, 5.0]),
    },
    scheduler=Asha(grace_period=8, reduction_factor=3, max_epochs=72),
    budget=Budget(trials=40),
)
