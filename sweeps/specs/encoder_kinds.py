"""Which kind of encoder segments these cracks best in the same time: convolutions, transformers, or one of DINOv3?

The report compares the kinds after equal seconds of training. Weights of DINOv3 are under Meta's DINOv3 License.
"""

from optuna import Trial

from sweeps.spec import Asha, Budget, SweepSpec

UNDER_UNET = ("resnet34", "efficientnet_b0", "mobilenet_v2", "mit_b0", "convnext_tiny", "dinov3_convnext_tiny")


def space(trial: Trial) -> None:
    model = trial.suggest_categorical("model", ["architectures/unet", "architectures/dpt"])
    encoders = UNDER_UNET if model == "architectures/unet" else ("dinov3_vit_small",)
    trial.suggest_categorical("model.encoder", encoders)
    trial.suggest_float("training.optimizer.lr_scale", 0.2, 5.0, log=True)


SPEC = SweepSpec(
    fixed=(
        "model=architectures/unet",
        "model.encoder=resnet34",
        "data.batch_size=4",
        "training.gradient_accumulation_steps=2",
    ),
    space=space,
    scheduler=Asha(grace_period=8, reduction_factor=3, max_epochs=72),
    budget=Budget(trials=48),
)
