"""Decides which of the retrained configurations to use, and how certain that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import NamedTuple

import numpy as np

from analysis.intervals import Float64Array, Interval, Scored, interval

AS_CHEAP = 1.25
"""Costs that differ by less than this factor count as equal, because measured times vary (docs/decisions/0008)."""


@dataclass(frozen=True)
class Run:
    """One complete training, scored on the test split."""

    contender: str
    seed: int
    folder: str
    validated: float
    """The best epoch's score on validation."""
    threshold: float
    """The threshold that was chosen on validation."""
    scores: Mapping[str, float]
    """Test IoU and F1 at that threshold."""
    parts: Float64Array
    """Numerator and denominator of the metric for each test image, shape (images, 2)."""
    epoch_seconds: float
    fold: str = ""
    """The fold that it was trained and scored on; empty without folds."""


class SearchScore(NamedTuple):
    """A configuration's score in the search."""

    score: float | None
    epochs: int = 0
    """The epochs that were trained for the score; 0: unknown."""


@dataclass(frozen=True)
class ComparedOn:
    """The images on which trainings are compared."""

    groups: Sequence[str]
    """The group of each image; with folds, its fold."""
    by_fold: bool = False


@dataclass(frozen=True)
class ConfigResult:
    """The results of one configuration."""

    contender: str
    search: SearchScore
    validated: float
    """Its mean score on validation over the fresh seeds."""
    test: Interval
    gain: Interval | None
    """Test score minus the default's, seed by seed; None for the default itself, and without a common seed."""
    epoch_seconds: float
    """The median over its seeds."""
    dropped: str
    """Why it was dropped from the race; empty if it has all seeds."""


@dataclass(frozen=True)
class Verdict:
    """The results of all configurations, and which one to use."""

    results: Sequence[ConfigResult]
    """Best first, by validation on fresh seeds."""
    chosen: str
    sentences: Sequence[str]


def judge(
    runs: Sequence[Run],
    search_scores: Mapping[str, SearchScore],
    default: str,
    images: ComparedOn,
    dropped: Mapping[str, str],
    broken: str = "",
) -> Verdict:
    """Compare all contenders with the default on fresh seeds and the test split, and choose one.

    The leader is the best on validation, so the test split does not influence the choice. If the leader's test score is
    significantly better than the default's, the cheapest configuration is chosen that is also significantly better than
    the default and not significantly different from the leader. If the leader is significantly worse, the default is
    chosen; otherwise the cheaper of the two. A default that breaks limits (``broken``) is compared but not chosen.
    """
    by_name = {name: [run for run in runs if run.contender == name] for name in search_scores}
    results = [
        config_result(name, found, by_name[default], search_scores[name], images, dropped.get(name, ""))
        for name, found in by_name.items()
        if found
    ]
    results.sort(key=lambda result: (bool(result.dropped), -result.validated))
    default_result = next(result for result in results if result.contender == default)
    leader, chosen = results[0], default_result
    if leader.gain is None:
        sentences = default_wins_sentences(results, default)
    else:
        if leader.gain.low > 0:
            good = [one for one in results if not one.dropped and one.gain is not None and one.gain.low > 0]
            chosen = cheapest(
                [one for one in good if one is leader or not is_distinguishable(by_name, leader, one, images)]
            )
        elif not leader.gain.high < 0 and leader.gain.is_defined:
            chosen = cheapest([default_result, leader])
        sentences = verdict_sentences(leader, leader.gain, chosen, default_result)
    others = [one for one in results if one is not default_result and not one.dropped]
    if broken and not others:
        sentences.append(f"The default breaks a limit ({broken}), but no other configuration is left to choose.")
    if broken and chosen is default_result and others:
        chosen = others[0]
        sentences.append(
            f"But the default breaks a limit ({broken}), so {chosen.contender} is chosen: "
            "the best on validation of those that keep it."
        )
    failed = [f"{name} is not compared: it {why}." for name, why in dropped.items() if not by_name.get(name)]
    return Verdict(results, chosen.contender, [*sentences, *failed])


def config_result(
    name: str, runs: Sequence[Run], reference: Sequence[Run], search: SearchScore, images: ComparedOn, dropped: str
) -> ConfigResult:
    gain = None if runs is reference else difference(runs, reference, images)
    validated, seconds = fmean(run.validated for run in runs), median(run.epoch_seconds for run in runs)
    return ConfigResult(name, search, validated, interval(scored(runs, images)), gain, seconds, dropped)


def difference(runs: Sequence[Run], others: Sequence[Run], images: ComparedOn) -> Interval | None:
    """The difference of test scores between two sets of runs on their common seeds; None if there are none."""
    common = {run.seed for run in runs} & {run.seed for run in others}
    if not common:
        return None
    return interval(*(scored([run for run in some if run.seed in common], images) for some in (runs, others)))


def scored(runs: Sequence[Run], images: ComparedOn) -> Scored:
    parts = np.stack([run.parts for run in sorted(runs, key=lambda run: run.seed)])
    return Scored(parts, images.groups, images.by_fold)


def is_distinguishable(
    by_name: Mapping[str, Sequence[Run]], one: ConfigResult, other: ConfigResult, images: ComparedOn
) -> bool:
    """Whether the test scores of two configurations differ significantly."""
    found = difference(by_name[one.contender], by_name[other.contender], images)
    return found is not None and (found.low > 0 or found.high < 0)


def cheapest(results: Sequence[ConfigResult]) -> ConfigResult:
    """The configuration with the shortest epochs; of those that take about as long, the first."""
    least = min(result.epoch_seconds for result in results)
    return next(result for result in results if result.epoch_seconds < AS_CHEAP * least)


def verdict_sentences(
    leader: ConfigResult, gain: Interval, chosen: ConfigResult, default_result: ConfigResult
) -> list[str]:
    """The verdict in words: the leader's difference to the default, the chosen configuration, and the reason."""
    size = f"{gain.mean:+.4f} {interval_text(gain)} {where(gain)}"
    if gain.low > 0:
        sentences = [f"{leader.contender} is better than the default by {size}."]
        if chosen is not leader:
            sentences.append(f"{chosen.contender} is not clearly different from it and is cheaper, so it is chosen.")
        return sentences
    if not gain.is_defined:
        few = "one seed" if gain.seeds < 2 else "test images of one group"
        unclear = (
            f"There is no interval with only {few}: {leader.contender} and the default differ by {gain.mean:+.4f}."
        )
        return [unclear, "The default is chosen, until more is known."]
    if gain.high < 0:
        return [
            f"{leader.contender}, the best on validation, is worse than the default: {size}.",
            "The default is chosen.",
        ]
    unit = f"{gain.groups} folds" if gain.by_fold else f"{gain.seeds} seeds"
    other = default_result if chosen is leader else leader
    alike = other.epoch_seconds < AS_CHEAP * chosen.epoch_seconds
    why = "both cost about the same, and the difference may be chance" if alike else "it is cheaper"
    name = "The default" if chosen is default_result else chosen.contender
    return [
        f"With {unit} there is no clear difference between {leader.contender} and the default: {size}.",
        f"{name} is chosen: {why}.",
        seeds_needed_sentence(gain),
    ]


def default_wins_sentences(results: Sequence[ConfigResult], default: str) -> list[str]:
    """The sentences for a default that is the best on validation, with the test score of the next configuration."""
    sentences = ["On fresh seeds no other configuration is better on validation than the default, which is chosen."]
    for result in [result for result in results if result.contender != default and result.gain is not None][:1]:
        assert result.gain is not None
        stopped = f" (it {result.dropped})" if result.dropped else ""
        sentences.append(
            f"The next best, {result.contender}{stopped}, differs from it by {result.gain.mean:+.4f} "
            f"{interval_text(result.gain)} {where(result.gain)}{chance(result.gain)}. Validation alone has decided."
        )
        if chance(result.gain):
            sentences.append(seeds_needed_sentence(result.gain))
    return sentences


def seeds_needed_sentence(gain: Interval) -> str:
    """How many seeds would make a difference of this size significant."""
    if gain.by_fold:
        return "More photographs, or a second seed for each fold (--seeds), would say more."
    if needed := gain.seeds_needed:
        return (
            f"If the difference stays as large, it would be significant with {needed} seeds "
            f"(--resume --seeds {needed}); add them all at once, because each further look makes a chance difference "
            "more likely."
        )
    return (
        "No number of seeds would make so small a difference significant: that needs more test photographs, or a test "
        "on all photographs (--folds 5 --fresh)."
    )


def chance(gain: Interval) -> str:
    """A remark on a gain that may be none."""
    return ", which may be chance" if gain.is_defined and gain.low <= 0 <= gain.high else ""


def where(gain: Interval) -> str:
    """What a gain was measured on."""
    return f"over {gain.groups} folds of all photographs" if gain.by_fold else "on the test split"


def interval_text(found: Interval) -> str:
    """The interval of a difference of scores, limited to -1 and 1."""
    if not found.is_defined:
        return f"(one {'seed' if found.seeds < 2 else 'group of images'}: no interval)"
    return f"[{max(-1.0, found.low):+.4f}, {min(1.0, found.high):+.4f}]"
