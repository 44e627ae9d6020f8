"""All ways to search, by name.

- ours: the rules of a sweep;
- random: the first point, then random ones, trained fully;
- tpe: Optuna's TPE, trained fully;
- tpe_hyperband: Optuna's multivariate TPE with its Hyperband pruner;
- optuna_gp: Optuna's Gaussian process, with TPE for conditional keys, trained fully;
- ray: Ray's defaults, OptunaSearch (which tells Optuna the last value of a stopped trial) and ASHA, grace 1, factor 4;
- ray_tuned: the same with ours's grace and factor;
- smac: SMAC's random forest with Hyperband from 1/27 of the epochs;
- syne_tune: Syne Tune's ASHA with conformal quantile regression;
- priorband: NePS's PriorBand over Hyperband, which has the default as its prior; only where there is one.

The last three need ``make peers``. Ray's cutoffs are taken by Ray's own code, the others search by their package's own
ask and tell, epoch by epoch. Where there is a default, each trains it first, to its end. Packages without conditional
keys (Syne Tune, NePS) always propose all keys; those that do not apply are ignored. Numeric choices in order are told
as ordered where a package knows that (SMAC, Syne Tune). A training that fails is told as the worst value so far. Grace
period and reduction factor are ours with Optuna's pruner and Syne Tune.
"""

import logging
import warnings
from collections.abc import Iterator

from benchmarks.landscapes.landscape import Report, random_points
from benchmarks.searches.optuna_searches import optuna_gp, ray_defaults, ray_tuned, tpe_full, tpe_hyperband
from benchmarks.searches.ours import ours
from benchmarks.searches.priorband import priorband
from benchmarks.searches.searched import Search, Searched
from benchmarks.searches.smac_search import smac
from benchmarks.searches.syne_tune_search import syne_tune


def random_full(world: Searched) -> Iterator[Report]:
    yield from world.train(0, world.first)
    for trial, point in enumerate(random_points(world.space, world.seed), 1):
        yield from world.train(trial, point)


def quiet(search: Search) -> Search:
    """A search without what its package logs and warns of for every configuration, until it is closed."""

    def run(world: Searched) -> Iterator[Report]:
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            with warnings.catch_warnings(action="ignore"):
                yield from search(world)
        finally:
            logging.disable(before)

    return run


METHODS: dict[str, Search] = {
    "ours": ours,
    "random": random_full,
    "tpe": tpe_full,
    "tpe_hyperband": quiet(tpe_hyperband),
    "optuna_gp": quiet(optuna_gp),
    "ray": ray_defaults,
    "ray_tuned": ray_tuned,
    "smac": quiet(smac),
    "syne_tune": quiet(syne_tune),
    "priorband": quiet(priorband),
}
PACKAGES = {"smac": "smac", "syne_tune": "syne_tune", "priorband": "neps"}
"""What each needs."""
ONLY_WITH_DEFAULT = ("priorband",)
