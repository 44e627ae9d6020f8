"""A sweep as the tutorials of Ray Tune and segmentation-models-pytorch teach it: the peer of ``sweep_wall_clock``.

A function as trainable, a new process for each trial, images read from the disk in every epoch, the loop of smp's
tutorial, Ray's OptunaSearch and ASHAScheduler. ``python -m benchmarks.ray_recipe DATA_ROOT OUT`` prints one JSON line.
"""

import argparse
import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

from src.folders import user_path

ENCODER, DECODER = "tu-mobilenetv3_small_050", (64, 32, 16, 16, 8)
LEARNING_RATES = (1e-4, 1e-2)


def train(config: dict[str, Any]) -> None:
    """Ray's trainable: it imports what it needs in its own process."""
    import albumentations
    import cv2
    import segmentation_models_pytorch
    import torch
    from ray import tune
    from torch.utils.data import DataLoader, Dataset

    smp: Any = segmentation_models_pytorch
    read: Any = cv2.imread
    torch.set_num_threads(config["threads"])
    torch.manual_seed(config["seed"])

    class Cracks(Dataset[Any]):
        def __init__(self, split: str, transform: Any) -> None:
            folder = Path(config["root"]) / split
            self.images = sorted((folder / "images").iterdir())
            self.masks = sorted((folder / "masks").iterdir())
            self.transform = transform

        def __len__(self) -> int:
            return len(self.images)

        def __getitem__(self, index: int) -> Any:
            image = cv2.cvtColor(read(str(self.images[index])), cv2.COLOR_BGR2RGB)
            mask = (read(str(self.masks[index]), cv2.IMREAD_GRAYSCALE) > 127).astype("float32")
            found = self.transform(image=image, mask=mask)
            return torch.from_numpy(found["image"].transpose(2, 0, 1).copy()), torch.from_numpy(found["mask"])[None]

    size = albumentations.Resize(config["size"], config["size"])
    light = [size, albumentations.HorizontalFlip(), albumentations.RandomBrightnessContrast()]
    augment = albumentations.Compose([*light, albumentations.Normalize()])
    train_loader = DataLoader(Cracks("train", augment), config["batch"], shuffle=True)
    val_loader = DataLoader(Cracks("val", albumentations.Compose([size, albumentations.Normalize()])), config["batch"])
    model = smp.Unet(ENCODER, encoder_weights=None, decoder_channels=DECODER)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config["lr"])
    loss = smp.losses.DiceLoss("binary")
    for _ in range(config["epochs"]):
        model.train()
        for images, masks in train_loader:
            optimizer.zero_grad()
            loss(model(images), masks).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            probs = [(model(images).sigmoid(), masks.long()) for images, masks in val_loader]
            stats = [smp.metrics.get_stats(*pair, mode="binary", threshold=0.5) for pair in probs]
        counts = [torch.cat(parts) for parts in zip(*stats, strict=True)]
        tune.report({"iou": smp.metrics.iou_score(*counts, reduction="micro").item(), "at": time.time()})


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("root", type=user_path)
    parser.add_argument("out", type=user_path)
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=2)
    options = parser.parse_args(argv)
    started = time.time()
    import ray
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.optuna import OptunaSearch

    cores = os.cpu_count() or 1
    ray.init(num_cpus=cores, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    space = {
        "lr": tune.loguniform(*LEARNING_RATES),
        "root": str(options.root.resolve()),
        "epochs": options.epochs,
        "seed": options.seed,
        "size": options.size,
        "batch": options.batch,
        "threads": max(1, cores // options.at_once),
    }
    asha = ASHAScheduler(max_t=options.epochs, grace_period=max(1, options.epochs // 4))
    config = tune.TuneConfig(
        metric="iou", mode="max", num_samples=options.trials, search_alg=OptunaSearch(seed=options.seed), scheduler=asha
    )
    run = tune.RunConfig(storage_path=str(options.out.resolve()), name="recipe", verbose=0)
    trainable = tune.with_resources(train, {"cpu": cores / options.at_once})
    results: Any = tune.Tuner(trainable, param_space=space, tune_config=config, run_config=run).fit()
    reports = [report for result in results for report in result.metrics_dataframe.to_dict("records")]
    best = max(reports, key=lambda report: report["iou"])
    figures = {"best": best["iou"], "best_seconds": best["at"] - started, "epochs": len(reports)}
    print(json.dumps(figures | {"trials": len(results)}))


if __name__ == "__main__":
    main(sys.argv[1:])
