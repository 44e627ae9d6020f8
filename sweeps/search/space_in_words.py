"""A search space in words, for the screen and for the comparison of two sessions."""

from collections.abc import Sequence

from sweeps.search.space import Params, Space, describe, distributions, few_corners


def described(space: Space) -> dict[str, str]:
    """What is searched of every key, in words: all of it where branches differ, and which branches have the key."""
    points = few_corners(space)
    ways = [distributions(space, point) or {} for point in points]
    found: dict[str, str] = {}
    for key in dict.fromkeys(key for way in ways for key in way):
        texts = dict.fromkeys(describe(way[key]) for way in ways if key in way)
        has = [key in way for way in ways]
        found[key] = " or ".join(texts) + ("" if all(has) else f" ({condition(points, has)})")
    return found


def condition(points: Sequence[Params], has: Sequence[bool]) -> str:
    """By which choice the points that ``has`` marks differ from the others: ``only with training.optimizer=sgd``."""
    for key in dict.fromkeys(key for point in points for key in point):
        values = dict.fromkeys(point.get(key) for point, there in zip(points, has, strict=True) if there)
        others = {point.get(key) for point, there in zip(points, has, strict=True) if not there}
        if None not in values and not others & values.keys():
            return f"only with {key}={' or '.join(map(str, values))}"
    return "in a part of the space"
