"""Which of the configurations that were trained again is the one to use, and how sure that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import NamedTuple

import numpy as np

from analysis.intervals import Float64Array, Interval, Scored, interval

AS_CHEAP = 1.25
"""Costs that differ by less than this factor count as equal: times are not measured better (docs/decisions/0008)."""


@dataclass(frozen=True)
class Run:
    """One training to the end, scored on the test split."""

    contender: str
    seed: int
    folder: str
    validated: float
    """The best epoch's value of the metric, on validation."""
    threshold: float
    """Chosen there."""
    scores: Mapping[str, float]
    """Test IoU and F1 at that threshold."""
    parts: Float64Array
    """(images, 2): numerators and denominators of the metric, of the test images."""
    epoch_seconds: float


class Searched(NamedTuple):
    """What the search knew of a configuration."""

    score: float | None
    epochs: int = 0
    """That it had trained it for that score; 0: not known."""


@dataclass(frozen=True)
class Line:
    """What is known of one configuration."""

    contender: str
    searched: Searched
    validated: float
    """Its score on validation with fresh seeds, their mean."""
    test: Interval
    gain: Interval | None
    """Test score less the default's, seed by seed; None for the default itself, and without a seed in common."""
    epoch_seconds: float
    """The median of its seeds."""
    out: str
    """Why it got no more seeds; empty if it has all."""


@dataclass(frozen=True)
class Verdict:
    """What was found, and what is to be used."""

    lines: Sequence[Line]
    """Best first, by validation on fresh seeds."""
    chosen: str
    sentences: Sequence[str]


def judge(
    runs: Sequence[Run],
    searched: Mapping[str, Searched],
    default: str,
    groups: Sequence[str],
    out: Mapping[str, str],
) -> Verdict:
    """Compare all contenders with the default, on fresh seeds and the test split, and choose one.

    The leader is the best by validation, so the test split has no part in the choice. If its test score is better than
    the default's by more than chance, the cheapest of those is chosen that are so too and cannot be told from the
    leader. If it is worse by more than chance, the default is; otherwise the cheaper of the two.
    """
    by_name = {name: [run for run in runs if run.contender == name] for name in searched}
    lines = [
        line_of(name, found, by_name[default], searched[name], groups, out.get(name, ""))
        for name, found in by_name.items()
        if found
    ]
    lines.sort(key=lambda line: (bool(line.out), -line.validated))
    of_default = next(line for line in lines if line.contender == default)
    leader, chosen = lines[0], of_default
    if leader.gain is None:
        said = words_of_none(lines, default)
    else:
        if leader.gain.low > 0:
            good = [line for line in lines if not line.out and line.gain is not None and line.gain.low > 0]
            chosen = cheapest([one for one in good if one is leader or not told_apart(by_name, leader, one, groups)])
        elif not leader.gain.high < 0 and leader.gain.sure:
            chosen = cheapest([of_default, leader])
        said = sentences(leader, leader.gain, chosen, of_default)
    failed = [f"{name} is not compared: it {why}." for name, why in out.items() if not by_name.get(name)]
    return Verdict(lines, chosen.contender, [*said, *failed])


def line_of(
    name: str, runs: Sequence[Run], reference: Sequence[Run], searched: Searched, groups: Sequence[str], out: str
) -> Line:
    gain = None if runs is reference else difference(runs, reference, groups)
    validated, seconds = fmean(run.validated for run in runs), median(run.epoch_seconds for run in runs)
    return Line(name, searched, validated, interval(scored(runs, groups)), gain, seconds, out)


def difference(runs: Sequence[Run], others: Sequence[Run], groups: Sequence[str]) -> Interval | None:
    """What some runs' test scores are better by than others', on the seeds that both have; None if there is none."""
    common = {run.seed for run in runs} & {run.seed for run in others}
    if not common:
        return None
    return interval(*(scored([run for run in some if run.seed in common], groups) for some in (runs, others)))


def scored(runs: Sequence[Run], groups: Sequence[str]) -> Scored:
    return Scored(np.stack([run.parts for run in sorted(runs, key=lambda run: run.seed)]), groups)


def told_apart(by_name: Mapping[str, Sequence[Run]], one: Line, other: Line, groups: Sequence[str]) -> bool:
    """Whether the test scores of two differ by more than chance."""
    found = difference(by_name[one.contender], by_name[other.contender], groups)
    return found is not None and (found.low > 0 or found.high < 0)


def cheapest(lines: Sequence[Line]) -> Line:
    """The one whose epochs take the least time; of those that take about as long, the first."""
    least = min(line.epoch_seconds for line in lines)
    return next(line for line in lines if line.epoch_seconds < AS_CHEAP * least)


def sentences(leader: Line, gain: Interval, chosen: Line, of_default: Line) -> list[str]:
    """The answer in words: what the leader is better by than the default, and why which one is chosen."""
    size = f"{gain.mean:+.4f} {span(gain)} on the test split"
    if gain.low > 0:
        said = [f"{leader.contender} is better than the default by {size}."]
        if chosen is not leader:
            said.append(f"{chosen.contender} cannot be told from it and is cheaper, so it is chosen.")
        return said
    if not gain.sure:
        want = "With one seed" if gain.seeds < 2 else "On test images of one group"
        told = f"{want} nothing can be told: {leader.contender} and the default differ by {gain.mean:+.4f}."
        return [told, "The default is chosen, until more is known."]
    if gain.high < 0:
        return [
            f"{leader.contender}, the best by validation, is worse than the default there: {size}.",
            "The default is chosen.",
        ]
    other = of_default if chosen is leader else leader
    alike = other.epoch_seconds < AS_CHEAP * chosen.epoch_seconds
    why = "as cheap, and nothing speaks for a change" if alike else "the cheaper one"
    name = "The default" if chosen is of_default else chosen.contender
    return [
        f"{leader.contender} and the default cannot be told apart with {gain.seeds} seeds: {size}.",
        f"{name} is chosen: {why}.",
        words_of_more(gain),
    ]


def words_of_none(lines: Sequence[Line], default: str) -> list[str]:
    """That no other is better by validation, and what the best of the others has on test, so that one can see why."""
    said = ["No other configuration is better than the default by validation on fresh seeds: the default is chosen."]
    for line in [line for line in lines if line.contender != default and line.gain is not None][:1]:
        assert line.gain is not None
        stopped = f" (it {line.out})" if line.out else ""
        said.append(
            f"The next, {line.contender}{stopped}, differs from it by {line.gain.mean:+.4f} {span(line.gain)} on the "
            "test split, which has no part in the choice."
        )
    return said


def words_of_more(gain: Interval) -> str:
    """What it would take to tell a difference that was not told from none."""
    if needed := gain.seeds_needed:
        return f"{needed} seeds would tell a difference of this size from none."
    return "No number of seeds would tell so small a difference from none: it takes more test photographs."


def span(found: Interval) -> str:
    """The interval of a difference of scores, as far as there are such differences."""
    if not found.sure:
        return f"(one {'seed' if found.seeds < 2 else 'group of images'}: no interval)"
    return f"[{max(-1.0, found.low):+.4f}, {min(1.0, found.high):+.4f}]"
