"""Checks before a sweep's first trial: machine, search space, data, networks and their memory."""

import logging
import shlex
import warnings
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from src.check import quick_problems
from src.config.compose import load_config
from src.config.overrides import Overrides
from src.config.schema import SPLITS
from src.data.cache import open_split
from src.errors import UserError
from src.synthetic import write_dataset
from src.tables import PlainConsole
from sweeps.data_root import lacks_data
from sweeps.default_point import default_point
from sweeps.plan import SweepPlan, make_plan
from sweeps.search.sampler import ModelSampler
from sweeps.search.space import Params
from sweeps.spec import SweepSpec
from trainable.corners import by_network
from trainable.overrides import trial_overrides
from trainable.resources import Resources

if TYPE_CHECKING:
    from sweeps.ray_executor import Executor

SYNTHETIC = Path("data") / "synthetic"

FEW = "all low, all high and each choice; a dry run checks all"
"""Describes the corners that are checked before a sweep starts."""

console = PlainConsole(width=160)


def prepare(name: str, spec: SweepSpec, seed: int, resources: Resources, accept_data: bool = False) -> SweepPlan:
    """Make the plan of a sweep, after all checks that need no training: keys, ranges, every image.

    Data problems that would make the results unreliable are a ``UserError``, unless ``accept_data``.
    """
    spec = with_data(spec)
    default_point(spec.space, spec.fixed)  # most mistakes are in the keys: check them before anything slow
    data = load_config(spec.fixed).data
    sizes = [len(open_split(data, split)) for split in SPLITS]
    counts = ", ".join(f"{size} {split}" for size, split in zip(sizes, SPLITS, strict=True))
    console.print(f"{name}: images in {data.root}: {counts}")
    problems = quick_problems(data)
    for line in problems if accept_data else ():
        console.print(f"accepted: {line}")
    if problems and not accept_data:
        raise UserError(
            f"The data in {data.root} has problems that would make the results unreliable:\n"
            + "\n".join(problems)
            + "\n"
            f"More: python -m src.check {shlex.quote(str(data.root))}. To search anyway: --accept-data-warnings."
        )
    plan = make_plan(name, spec, seed, resources)
    check_sampler(plan)
    return replace(plan, accepted=tuple(problems))


def with_data(spec: SweepSpec) -> SweepSpec:
    """The spec, with synthetic photographs if it may use them and there are no others."""
    if not (spec.synthetic_without_data and lacks_data(spec)):
        return spec
    root = load_config(spec.fixed).data.root
    console.print(f"There are no photographs in {root}: the sweep uses synthetic ones in {SYNTHETIC}.")
    if not SYNTHETIC.is_dir():
        write_dataset(SYNTHETIC)
    return replace(spec, fixed=(*spec.fixed, f"data.root={SYNTHETIC}"))


def check_sampler(plan: SweepPlan) -> None:
    """Let a sampler that is a function make one proposal; one that cannot is a ``UserError``."""
    if not callable(plan.spec.sampler):
        return
    try:
        ModelSampler(plan.spec.space, plan.seed, plan.default_params, plan.spec.sampler).check_model()
    except Exception as error:  # from Python that a user wrote
        raise UserError(f"sampler={plan.spec.sampler_name}: {type(error).__name__}: {error}") from error


def check_corners(
    plan: SweepPlan, points: Iterable[Params], executor: "Executor | None" = None, which: str = FEW
) -> list[Overrides]:
    """Run the smoke test on these points of the space; returns the overrides of one point per different network.

    It runs in the places of the sweep, or in this process without an ``executor``. ``which`` describes the points.
    """
    corners = [trial_overrides(plan.fixed, point) for point in points]
    networks = by_network(corners)
    default = trial_overrides(plan.fixed, plan.default_params)
    if executor:
        executor.check(networks, default)
    else:
        logging.basicConfig(level=logging.WARNING, format="%(message)s")
        warnings.simplefilter("ignore")
        from trainable.smoke_test import run_smoke_test

        run_smoke_test(corners, bool(plan.resources.cards))
        if plan.spec.limits:
            from trainable.costs import check_default

            costs = check_default(default, plan.spec.limits)
            console.print(f"The default has {costs}, within {plan.spec.limits}.")
    console.print(
        f"Checked {len(corners)} configurations at the ends of the search ranges ({which}): all are valid, and each of "
        f"their {len(networks)} different networks and losses was trained for one step."
    )
    return [corners[0] for corners in networks]


def check_memory(plan: SweepPlan, networks: Iterable[Overrides], all_of_them: bool = False) -> None:
    """Print the memory of networks whose batches will be halved, or of ``all_of_them``.

    A network that does not fit at all is a ``UserError``.
    """
    if not plan.resources.cards:
        return
    from trainable.card_memory import fit_networks, refuse_misfits  # imports torch, which takes seconds

    fits = fit_networks(networks, plan.resources, plan.fixed)
    if fits and all_of_them:
        console.print(f"GPU memory per trial: {plan.resources.share_mib} MiB. Predicted need of each network:")
    for fit in fits:
        if all_of_them or fit.halved:
            console.print(f"  {fit}")
    refuse_misfits(fits, plan.resources.share_mib)
