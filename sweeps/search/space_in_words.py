"""Describes a search space in words, for the screen and for comparing two sessions."""

from collections.abc import Sequence

from sweeps.search.space import Params, Space, describe, distributions, few_corners


def described(space: Space) -> dict[str, str]:
    """The range or choices of every key in words; for a conditional key, also the choice that it depends on."""
    points = few_corners(space)
    branches = [distributions(space, point) or {} for point in points]
    texts: dict[str, str] = {}
    for key in dict.fromkeys(key for branch in branches for key in branch):
        ranges = dict.fromkeys(describe(branch[key]) for branch in branches if key in branch)
        has = [key in branch for branch in branches]
        texts[key] = " or ".join(ranges) + ("" if all(has) else f" ({condition(points, has)})")
    return texts


def condition(points: Sequence[Params], has: Sequence[bool]) -> str:
    """The choice that only the points marked by ``has`` have in common: ``only with training.optimizer=sgd``."""
    for key in dict.fromkeys(key for point in points for key in point):
        values = dict.fromkeys(point.get(key) for point, there in zip(points, has, strict=True) if there)
        others = {point.get(key) for point, there in zip(points, has, strict=True) if not there}
        if None not in values and not others & values.keys():
            return f"only with {key}={' or '.join(map(str, values))}"
    return "in a part of the space"
