"""What decides whether two sessions belong to one sweep, or two trainings are alike: code, data, settings; no paths."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from src.data.cache import data_fingerprint
from sweeps.about import PLACES
from sweeps.plan import SweepPlan, described
from sweeps.spec import spec_path

ROOT = Path(__file__).parents[1]
TRAINING = ("src/**/*.py", "trainable/*.py", "configs/**/*.yaml")
"""Files that decide what a trial trains."""
SEARCH = ("sweeps/asha.py", "sweeps/sampler.py", "sweeps/standing.py", "sweeps/study.py")
"""Files that decide which trials are tried."""
CORES = "threads"
"""Where a card does the sums, cores only load images, which gives the same with any number of them."""


def identity(plan: SweepPlan, spec_name: str) -> dict[str, str]:
    """What makes two sessions parts of the same sweep, as names and texts that can be compared."""
    spec = plan.spec
    return {
        "sweep": Path(spec_name).stem,
        "metric": spec.metric,
        "search seed": str(plan.seed),
        "rungs": f"{[*spec.asha.rungs, spec.asha.max_epochs]}, one in {spec.asha.reduction_factor}, {spec.form}",
        **{f"space: {key}": text for key, text in described(spec.space).items()},
        "first points": json.dumps([plan.first, *plan.given]),
        **surroundings(plan),
        f"sweeps/specs/{Path(spec_name).stem}.py": _digest(spec_path(spec_name)),
    }


def surroundings(plan: SweepPlan) -> dict[str, str]:
    """Fixed overrides, data, and the code of trainings and of the search."""
    left_out = {*PLACES, CORES} if plan.resources.cards else {*PLACES}
    return {
        **{f"fixed: {item.key}": str(item.value) for item in plan.fixed.items if item.key not in left_out},
        "data": data_fingerprint(plan.config.data),
        **digests({path for pattern in (*TRAINING, *SEARCH) for path in ROOT.glob(pattern)}),
    }


def training_code() -> dict[str, str]:
    """Digests of the files that decide what a trial trains, by name."""
    return digests({path for pattern in TRAINING for path in ROOT.glob(pattern)})


def digests(paths: set[Path]) -> dict[str, str]:
    return {os.path.relpath(path, ROOT): _digest(path) for path in sorted(paths)}


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What is not the same, a line each. Older ledgers have places too, which do not count."""
    places = {f"fixed: {place}" for place in PLACES}
    lines = [
        f"  {name}: {before.get(name, 'nothing')} -> {now.get(name, 'nothing')}"
        for name in dict.fromkeys([*before, *now])
        if before.get(name) != now.get(name) and name not in places
    ]
    return [line.replace(str(Path.home()), "~") for line in lines]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
