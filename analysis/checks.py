"""Warnings about a sweep's results, in plain words: the checks of Google's tuning playbook, and some of our own.

Godbole et al. 2023, github.com/google-research/tuning_playbook: is the best point at the edge of the space, are many
points infeasible, is the best epoch at the very end or the very beginning, are there enough trials.
"""

import math
from collections.abc import Iterator

from analysis.results import Range, SweepResults

EDGE = 0.05
"""The share of a range at each end that counts as its edge."""
INFEASIBLE = 0.2
"""If a larger share of trials failed, there is a warning."""
EARLY, LATE = 0.1, 0.75
"""Fractions of a training. The best epoch should be between them."""
FEW = 3
"""With fewer trials that were trained to the end, there is a warning."""


def checks(sweep: SweepResults) -> list[str]:
    """All warnings about a sweep, one sentence each; empty if there are none."""
    return [*check_search(sweep), *check_best(sweep)]


def check_search(sweep: SweepResults) -> Iterator[str]:
    for line in sweep.about.get("accepted", ()):
        yield f"The data was accepted with a problem: {line.removeprefix('problem: ')}. Scores may be too good."
    yield from sweep.about.get("warnings", ())
    states = sweep.trials["state"].tolist()
    if sweep.state != "finished":
        yield f"The sweep is {sweep.state}: its best trial may still change."
    if states and (share := states.count("failed") / len(states)) > INFEASIBLE:
        yield f"{share:.0%} of the trials failed: parts of the search space cannot be trained; remove them."
    if halved := sweep.micro_batches:
        named = ", ".join(f"{trial} ({size} images at once)" for trial, size in sorted(halved.items()))
        yield (
            f"Memory ran out in {named}. Batch norm saw fewer images there than in the other trials, so the scores are "
            "not quite comparable. Choose a smaller data.batch_size that fits for all trials."
        )
    complete = states.count("complete")
    if states and complete < FEW:
        trained = "One trial was" if complete == 1 else f"{complete or 'No'} trials were"
        yield f"{trained} trained to the end: how good the others would have become is only a guess."


def check_best(sweep: SweepResults) -> Iterator[str]:
    if sweep.ranked.empty:
        yield "No trial has a score."
        return
    best = sweep.ranked.iloc[0].to_dict()
    name, end = str(best["trial"]), sweep.rungs[-1]
    if name == sweep.default:
        yield "The best trial is the default configuration: the search found nothing better."
    for key, value in sweep.params[name].items():
        side = edge(sweep.ranges.get(name, {}).get(key, Range()), value)
        if side:
            yield (
                f"The best {key}, {value:.3g}, is at the {side} edge of its search range: widen the range in the spec, "
                f"and search again with --name NEW --warm-start {sweep.name}."
            )
    if best["state"] != "complete":
        yield f"The best trial is {best['state']} after {best['epochs']} of {end} epochs, not trained to the end."
    elif best["best_epoch"] <= EARLY * end:
        yield f"The best epoch is {best['best_epoch']} of {end}: trainings are far too long, or they overfit."
    elif best["best_epoch"] > LATE * end:
        yield (
            f"The best epoch is {best['best_epoch']} of {end}: longer trainings may be better, unless the score only "
            "rose because the learning rate fell to zero."
        )


def edge(of: Range, value: object) -> str:
    """``low`` or ``high`` if a value is at that edge of its range; empty otherwise, and for choices."""
    if of.choices or not isinstance(value, int | float) or of.low >= of.high:
        return ""
    if of.log and value <= 0:
        return ""
    share = (math.log(value / of.low) / math.log(of.high / of.low)) if of.log else (value - of.low) / (of.high - of.low)
    return "low" if share <= EDGE else "high" if share >= 1 - EDGE else ""
