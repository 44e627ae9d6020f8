"""The identity of a sweep: code, data and settings, but no paths. Two sessions must agree in it to be comparable."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from src.data.cache import data_fingerprint
from src.models.hub import INIT_FROM, local_weights
from src.provenance import digest
from sweeps.about import PATH_KEYS
from sweeps.plan import SweepPlan
from sweeps.search.space import branches, extremes
from sweeps.search.space_in_words import described
from sweeps.spec import spec_path

ROOT = Path(__file__).parents[1]
TRAINING = ("src/**/*.py", "trainable/*.py", "configs/**/*.yaml")
"""Files that decide what a trial trains."""
CORE = ("events", "scheduler", "state", "study", "trial")
"""Modules of ``sweeps.search`` that decide in every search and retraining."""
PROPOSALS = ("sampler", "space", "encoding", "changes", "rung_values")
"""Those that decide what a search proposes, beside its model."""
MODELS = {"gp": ("gp_model", "gaussian_process", "prior"), "random": ()}
"""The modules of a model, by the sampler's name; all others are Optuna's."""
LISTENERS = "listeners"
"""They are told of a training and change nothing in it."""
CORES = "threads"
"""With a GPU, CPU threads only load images, and their number does not change the images."""


def identity(plan: SweepPlan, spec_name: str) -> dict[str, str]:
    """The identity of a sweep, as names and texts that can be compared."""
    spec, scheduler = plan.spec, plan.spec.scheduler
    return {
        "sweep": Path(spec_name).stem,
        "metric": spec.metric,
        "search seed": str(plan.seed),
        "rungs": f"{[*scheduler.rungs, scheduler.max_epochs]}, {scheduler.described}",
        **{f"space: {key}": text for key, text in described(spec.space).items()},
        "sampler": spec.sampler_name,
        **({"limits": json.dumps(spec.limits.given)} if spec.limits else {}),
        "first points": json.dumps([plan.default_params, *plan.known_points]),
        **surroundings(plan),
        **digests({search_file(name) for name in (*PROPOSALS, *model_modules(spec.sampler_name))}),
        f"sweeps/specs/{Path(spec_name).stem}.py": digest(spec_path(spec_name)),
    }


def surroundings(plan: SweepPlan) -> dict[str, str]:
    """Fixed overrides, data, and the code of trainings, of the search core and of the scheduler in use."""
    left_out = {*PATH_KEYS, INIT_FROM, LISTENERS, *([CORES] if plan.resources.cards else [])}
    return {
        **{f"fixed: {item.key}": str(item.value) for item in plan.fixed.items if item.key not in left_out},
        "data": data_fingerprint(plan.config.data),
        **starting_weights(plan),
        **training_code(),
        **digests({search_file(name) for name in (*CORE, *scheduler_modules(plan))}),
    }


def starting_weights(plan: SweepPlan) -> dict[str, str]:
    """What trials may start from (``model.init_from``): digests of files, wherever they are, and names on the hub."""
    searched = [branch[INIT_FROM] for branch in branches(plan.spec.space) if INIT_FROM in branch]
    names = {plan.config.model.init_from, *(name for one in searched for name in extremes(one))} - {None}
    found = sorted(digest(path) if (path := local_weights(str(name))) else str(name) for name in names)
    return {"weights": ", ".join(found)} if found else {}


def training_code() -> dict[str, str]:
    """Digests of the files that decide what a trial trains, by name."""
    return digests({path for pattern in TRAINING for path in ROOT.glob(pattern)})


def search_file(name: str) -> Path:
    return ROOT / "sweeps" / "search" / f"{name}.py"


def scheduler_modules(plan: SweepPlan) -> set[str]:
    """The modules of ``sweeps.search`` with the scheduler of a plan and the classes it is derived from."""
    modules = (kind.__module__.rpartition(".") for kind in type(plan.spec.scheduler).__mro__)
    return {name for package, _, name in modules if package == "sweeps.search"}


def model_modules(sampler: str) -> tuple[str, ...]:
    """The modules of ``sweeps.search`` that belong to a sampler alone."""
    return MODELS.get(sampler, ("optuna_model",))


def digests(paths: set[Path]) -> dict[str, str]:
    return {os.path.relpath(path, ROOT): digest(path) for path in sorted(paths)}


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The differences between two identities, one line each. Older ledgers also have paths, which are ignored."""
    paths = {f"fixed: {key}" for key in PATH_KEYS}
    lines = [
        f"  {name}: {before.get(name, 'nothing')} -> {now.get(name, 'nothing')}"
        for name in dict.fromkeys([*before, *now])
        if before.get(name) != now.get(name) and name not in paths
    ]
    return [line.replace(str(Path.home()), "~") for line in lines]
