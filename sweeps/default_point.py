"""The default configuration as a point of the search space. It is trial 0 of every sweep."""

from collections.abc import Iterable
from typing import cast

from optuna.distributions import BaseDistribution, CategoricalDistribution

from src.config.compose import compose
from src.config.keys import list_options
from src.errors import UserError, unknown
from sweeps.search.space import Choice, Params, Space, contains, describe, walk


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
