"""The default configuration as a point of the search space, trial 0 of every sweep; and what is expected near it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from optuna.distributions import BaseDistribution, CategoricalDistribution

from src.config.compose import compose
from src.config.keys import list_options
from src.errors import UserError, unknown
from sweeps.search.sampler import OWN_MODEL
from sweeps.search.space import Choice, Params, Space, branches, contains, describe, walk
from sweeps.spec import SweepSpec


def default_point(space: Space, fixed: Iterable[str]) -> Params:
    """The configuration's values for the keys of the search space.

    A key that the configuration does not have, an option that does not exist, or a default outside its range is a
    ``UserError``: the search could not propose the default configuration.
    """
    composed = compose(fixed)

    def answer(key: str, distribution: BaseDistribution) -> Choice:
        value = cast(Choice, composed.value(key))
        if key in composed.choices and isinstance(distribution, CategoricalDistribution):
            for option in distribution.choices:
                if option not in list_options(key):
                    raise unknown(f"option of {key} in the search space", str(option), list_options(key))
        if not contains(distribution, value):
            raise UserError(
                f"{key}: the default {value} is outside of the search range {describe(distribution)}. Widen the range, "
                "or set another default in `fixed`."
            )
        return value

    point = walk(space, answer)
    if not point:
        raise UserError("The search space is empty: it must have at least one key.")
    return point


def expected_near(spec: SweepSpec, points: Sequence[Params]) -> Sequence[Mapping[str, Choice]]:
    """The points, or parts of points, near which the spec expects good ones.

    ``points``: the default and the known ones. A key that no branch of the space has, or a value that none takes, is a
    ``UserError``.
    """
    if isinstance(spec.prior, str):
        return points if (spec.prior, spec.sampler) == ("default", OWN_MODEL) else ()
    every = branches(spec.space)
    for key, value in spec.prior.items():
        found = [branch[key] for branch in every if key in branch]
        if not found:
            raise unknown("key of the prior", key, dict.fromkeys(name for branch in every for name in branch))
        if not any(contains(distribution, cast(Choice, value)) for distribution in found):
            legal = " or ".join(dict.fromkeys(describe(distribution) for distribution in found))
            raise UserError(f"prior: {key}={value} is outside of the search space; legal: {legal}.")
    return [cast(Mapping[str, Choice], spec.prior)]
