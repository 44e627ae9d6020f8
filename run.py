"""Train one network: ``python run.py model=architectures/swin_unet training.loss=dice_focal``.

Each argument is an override ``key=value`` of the configuration in ``configs/``, or a YAML file that lists overrides,
such as a ``best.yaml`` of ``retrain-best``. ``--show`` only prints the resolved configuration.
"""

import shlex
import sys
from collections.abc import Mapping
from typing import Any

from src.errors import outlive_reader, run_command


def main(argv: list[str]) -> None:
    if "--help" in argv or "-h" in argv:
        print(__doc__)
        return
    from src.config.compose import compose
    from src.config.environment import with_data_root
    from src.config.overrides import Overrides

    overrides = with_data_root(Overrides.parse(word for word in argv if word != "--show"))
    composed = compose(overrides)
    config = composed.check()
    if "--show" in argv:
        show(composed.values)
        return
    from src.data.pairs import find_pairs

    for split in ("train", "val"):  # before the import of torch, which takes seconds
        find_pairs(config.data.root, split)
    from src.training.run import train

    outlive_reader()
    folder = train(config, overrides)
    best = shlex.quote(f"model.checkpoint_path={folder / 'checkpoints' / 'best_model.pth'}")
    print(f"evaluate: python -m src.evaluation {best}")


def show(values: Mapping[str, Any]) -> None:
    """Print the resolved configuration as YAML."""
    import yaml

    print(yaml.safe_dump(dict(values), sort_keys=False))


if __name__ == "__main__":
    sys.exit(run_command(main))
