"""Train one network: ``python run.py model=architectures/swin_unet training.loss=dice_focal``.

Each argument is an override ``key=value`` of the configuration in ``configs/``, or a YAML file that lists overrides,
such as a ``best.yaml`` of ``retrain-best``. ``--show`` prints the resolved configuration and ends.
"""

import shlex
import sys
from typing import Any

from src.errors import outlive_reader, run_command


def main(argv: list[str]) -> None:
    if "--help" in argv or "-h" in argv:
        print(__doc__)
        return
    from src.config import check_values, compose_values, expand_files, rejoin_lists, with_data_root

    overrides = with_data_root(expand_files(rejoin_lists(word for word in argv if word != "--show")))
    values = compose_values(overrides)
    config = check_values(values)
    if "--show" in argv:
        show(values)
        return
    from src.data.pairs import find_pairs

    for split in ("train", "val"):  # before torch, which takes seconds to import
        find_pairs(config.data.root, split)
    from src.run import train

    outlive_reader()
    folder = train(config, overrides)
    best = shlex.quote(f"model.checkpoint_path={folder / 'checkpoints' / 'best_model.pth'}")
    print(f"evaluate: python -m src.evaluation {best}")


def show(values: dict[str, Any]) -> None:
    """Print the resolved configuration as YAML."""
    import yaml

    print(yaml.safe_dump(values, sort_keys=False))


if __name__ == "__main__":
    sys.exit(run_command(main))
