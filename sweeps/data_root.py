"""Whether a sweep has data to search on."""

import os

from src.config.compose import load_config
from sweeps.spec import SweepSpec


def lacks_data(spec: SweepSpec) -> bool:
    """Whether no data folder is named, by an override or the environment, and the default one has no photographs."""
    root = load_config(spec.fixed).data.root
    named = "CRACK_DATA_ROOT" in os.environ or root != load_config().data.root
    return not named and not (root / "train").is_dir()
