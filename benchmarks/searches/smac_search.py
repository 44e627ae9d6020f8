"""SMAC's random forest with Hyperband; a configuration that gets more epochs continues."""

# pyright: reportMissingImports=false

import tempfile
from collections.abc import Iterator
from typing import Any, cast

from optuna.distributions import CategoricalDistribution, IntDistribution

from benchmarks.landscapes.landscape import Key, Report
from benchmarks.searches.searched import Searched, Trainings
from sweeps.search.encoding import is_ordered
from sweeps.search.space import Choice, Params

SMAC_POINTS = 5
"""Random points before the forest; its first stage of 27 has more anyway."""
HYPERBAND_BUDGETS = 27
"""SMAC's largest budget by its smallest."""


def smac(world: Searched) -> Iterator[Report]:
    from ConfigSpace import ConfigurationSpace, InCondition
    from smac import MultiFidelityFacade, Scenario
    from smac.runhistory.dataclasses import TrialValue

    space: Any = ConfigurationSpace(seed=world.seed)
    keys: dict[str, Key] = {key.name: key for key in world.keys}
    made = {name: of_config_space(key, world.default) for name, key in keys.items()}
    space.add(list(made.values()))
    for name, key in keys.items():
        if key.parent:
            opened_by = [index_of(keys[key.parent], choice) for choice in key.opened_by]
            space.add(InCondition(made[name], made[key.parent], opened_by))
    epochs = world.asha.max_epochs
    budgets = {"min_budget": epochs / HYPERBAND_BUDGETS, "max_budget": epochs}
    trainings = Trainings(world)
    with tempfile.TemporaryDirectory() as folder:
        scenario: Any = Scenario(
            space, deterministic=True, n_trials=10**6, **budgets, seed=world.seed, output_directory=folder
        )  # type: ignore[arg-type]
        default = space.get_default_configuration()
        extra = {"additional_configs": [default]} if world.default else {}
        design = MultiFidelityFacade.get_initial_design(scenario, n_configs=SMAC_POINTS, **extra)
        facade = MultiFidelityFacade(
            scenario, nothing, overwrite=True, logging_level=False, initial_design=design
        )  # type: ignore[arg-type]
        if world.default:
            yield from trainings.to(default, world.default, epochs)
        while True:
            asked: Any = facade.ask()
            point = {name: of_index(keys[name], plain(value)) for name, value in dict(asked.config).items()}
            value = yield from trainings.to(asked.config, point, max(1, round(asked.budget)))
            facade.tell(asked, TrialValue(cost=-value), save=False)


def nothing(config: Any, seed: int = 0, budget: float = 0) -> float:
    """SMAC wants a function, and never calls it."""
    raise AssertionError


def of_config_space(key: Key, default: Params | None) -> Any:
    from ConfigSpace import Categorical, Float, Integer, OrdinalHyperparameter

    known = {"default": index_of(key, default[key.name])} if default and key.name in default else {}
    distribution = key.distribution
    if isinstance(distribution, CategoricalDistribution):
        indices = list(range(len(distribution.choices)))
        if is_ordered(distribution):
            return OrdinalHyperparameter(key.name, indices, **({"default_value": known["default"]} if known else {}))
        return Categorical(key.name, indices, **known)  # type: ignore[arg-type]
    kind = Integer if isinstance(distribution, IntDistribution) else Float
    low, high, log = cast(Any, distribution).low, cast(Any, distribution).high, cast(Any, distribution).log
    return kind(key.name, (low, high), log=log, **known)


def index_of(key: Key, value: Choice) -> Choice:
    """The number of a choice, which may be something that ConfigSpace does not take, such as None."""
    distribution = key.distribution
    return distribution.choices.index(value) if isinstance(distribution, CategoricalDistribution) else value


def of_index(key: Key, value: Any) -> Choice:
    distribution = key.distribution
    return distribution.choices[value] if isinstance(distribution, CategoricalDistribution) else value


def plain(value: Any) -> Any:
    """A value of numpy's as Python's own."""
    return value.item() if hasattr(value, "item") else value
