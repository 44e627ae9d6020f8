"""Which of the configurations that were trained again is the one to use, and how sure that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from analysis.intervals import Float64Array, Interval, Scored, interval

AS_CHEAP = 1.1
"""Costs that differ by less than this factor count as equal: times are not measured better."""


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


@dataclass(frozen=True)
class Line:
    """What is known of one configuration."""

    contender: str
    searched: float | None
    """Its score in the search."""
    validated: float
    """The same on fresh seeds, their mean; what the search's was better by is luck."""
    test: Interval
    gain: Interval | None
    """Test score less the default's, seed by seed; None for the default itself."""
    epoch_seconds: float
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
    searched: Mapping[str, float | None],
    default: str,
    groups: Sequence[str],
    out: Mapping[str, str],
) -> Verdict:
    """Compare all contenders with the default, on fresh seeds and the test split, and choose one.

    The leader is the best by validation, so the test split has no part in the choice. If its test score is better than
    the default's by more than chance, the cheapest of those is chosen that are so too and cannot be told from the
    leader. Otherwise the cheaper one of leader and default is.
    """
    by_name = {name: [run for run in runs if run.contender == name] for name in searched}
    lines = [
        line_of(name, found, by_name[default], searched[name], groups, out.get(name, ""))
        for name, found in by_name.items()
        if found
    ]
    lines.sort(key=lambda line: (bool(line.out), -line.validated))
    of_default = next(line for line in lines if line.gain is None)
    leader = lines[0]
    if leader.gain is None:
        return Verdict(lines, leader.contender, ["Nothing that the search has found is better than the default."])
    if leader.gain.low > 0:
        good = [line for line in lines if not line.out and line.gain is not None and line.gain.low > 0]
        equal = [line for line in good if line is leader or not told_apart(by_name, leader, line, groups)]
        chosen = cheapest(equal)
    else:
        chosen = cheapest([of_default, leader])
    return Verdict(lines, chosen.contender, sentences(leader, chosen, of_default))


def line_of(
    name: str, runs: Sequence[Run], reference: Sequence[Run], searched: float | None, groups: Sequence[str], out: str
) -> Line:
    gain = None
    if runs is not reference:
        common = {run.seed for run in runs} & {run.seed for run in reference}
        gain = interval(*(scored([run for run in some if run.seed in common], groups) for some in (runs, reference)))
    validated, seconds = fmean(run.validated for run in runs), fmean(run.epoch_seconds for run in runs)
    return Line(name, searched, validated, interval(scored(runs, groups)), gain, seconds, out)


def scored(runs: Sequence[Run], groups: Sequence[str]) -> Scored:
    return Scored(np.stack([run.parts for run in sorted(runs, key=lambda run: run.seed)]), groups)


def told_apart(by_name: Mapping[str, Sequence[Run]], one: Line, other: Line, groups: Sequence[str]) -> bool:
    """Whether the test scores of two differ by more than chance."""
    found = interval(scored(by_name[one.contender], groups), scored(by_name[other.contender], groups))
    return found.low > 0 or found.high < 0


def cheapest(lines: Sequence[Line]) -> Line:
    """The one whose epochs take the least time; of those that take about as long, the first."""
    least = min(line.epoch_seconds for line in lines)
    return next(line for line in lines if line.epoch_seconds < AS_CHEAP * least)


def sentences(leader: Line, chosen: Line, of_default: Line) -> list[str]:
    """The answer in words: what the leader is better by than the default, and why which one is chosen."""
    gain = leader.gain
    assert gain is not None
    size = f"{gain.mean:+.4f} {span(gain)} on the test split"
    if gain.low > 0:
        said = [f"{leader.contender} is better than the default by {size}."]
        if chosen is not leader:
            said.append(f"{chosen.contender} cannot be told from it and is cheaper, so it is chosen.")
        return said
    if gain.seeds < 2:
        return [f"With one seed nothing can be told: {leader.contender} and the default differ by {gain.mean:+.4f}."]
    if gain.high < 0:
        return [f"{leader.contender}, the best by validation, is worse than the default there: {size}."]
    other = of_default if chosen is leader else leader
    alike = other.epoch_seconds < AS_CHEAP * chosen.epoch_seconds
    why = "as cheap, and nothing speaks for a change" if alike else "the cheaper one"
    name = "The default" if chosen is of_default else chosen.contender
    return [
        f"{leader.contender} and the default cannot be told apart with {gain.seeds} seeds: {size}.",
        f"{name} is chosen: {why}.",
        words_of_more(gain),
    ]


def words_of_more(gain: Interval) -> str:
    """What it would take to tell a difference that was not told from none."""
    if needed := gain.seeds_needed:
        return f"{needed} seeds would tell a difference of this size from none."
    return "No number of seeds would tell so small a difference from none: it takes more test photographs."


def span(found: Interval) -> str:
    return f"[{found.low:+.4f}, {found.high:+.4f}]" if found.seeds > 1 else "(one seed: no interval)"
