"""What one should look at before believing a sweep, in plain words: the checks of Google's tuning playbook and ours.

Godbole et al. 2023, github.com/google-research/tuning_playbook: is the best point at the edge of the space, are many
points infeasible, does the best epoch come at the very end or the very beginning, are there enough trials to say.
"""

import math
from collections.abc import Iterator

from analysis.results import Range, SweepResults

EDGE = 0.05
"""Of a range, counted as its edge."""
INFEASIBLE = 0.2
EARLY, LATE = 0.1, 0.75
"""Parts of a training."""
FEW = 3
"""Trials that were trained to the end, below which little can be said."""


def checks(sweep: SweepResults) -> list[str]:
    """A sentence for everything that should make one careful; empty if nothing does."""
    return [*of_the_search(sweep), *of_the_best(sweep)]


def of_the_search(sweep: SweepResults) -> Iterator[str]:
    for line in sweep.about.get("accepted", ()):
        yield f"The data was accepted with a problem: {line.removeprefix('problem: ')}. Scores may be too good."
    yield from sweep.about.get("warnings", ())
    states = sweep.trials["state"].tolist()
    if sweep.state != "finished":
        yield f"The sweep is {sweep.state}: its best may not be the best yet."
    if states and (share := states.count("failed") / len(states)) > INFEASIBLE:
        yield f"{share:.0%} of the trials failed: parts of the space cannot be trained; take them out of it."
    if halved := sweep.micro_batches:
        named = ", ".join(f"{trial} ({size} images at once)" for trial, size in sorted(halved.items()))
        yield (
            f"Memory ran out in {named}: batch norm saw fewer images there than in the other trials, so scores are not "
            "quite comparable. A smaller data.batch_size is the same for all."
        )
    complete = states.count("complete")
    if states and complete < FEW:
        trained = "One trial was" if complete == 1 else f"{complete or 'No'} trials were"
        yield f"{trained} trained to the end: how good the others would have become is a guess of the rules."


def of_the_best(sweep: SweepResults) -> Iterator[str]:
    if sweep.ranked.empty:
        yield "No trial has a score."
        return
    best = sweep.ranked.iloc[0].to_dict()
    name, end = str(best["trial"]), sweep.rungs[-1]
    if name == sweep.default:
        yield "The best trial is the default configuration: the search has found nothing better."
    for key, value in sweep.params[name].items():
        side = edge(sweep.ranges.get(name, {}).get(key, Range()), value)
        if side:
            yield f"The best {key}, {value:.3g}, is at the {side} edge of what was searched: search beyond it."
    if best["state"] != "complete":
        yield f"The best trial is {best['state']} after {best['epochs']} of {end} epochs, not trained to the end."
    elif best["best_epoch"] <= EARLY * end:
        yield f"The best epoch is {best['best_epoch']} of {end}: a training is far too long, or it overfits."
    elif best["best_epoch"] > LATE * end:
        yield (
            f"The best epoch is {best['best_epoch']} of {end}: a longer training may be better still, unless it is the "
            "rate's fall to nothing that made it so."
        )


def edge(of: Range, value: object) -> str:
    """``low`` or ``high`` if a value is that near to an end of its range; empty if not, or if it is a choice."""
    if of.choices or not isinstance(value, int | float) or of.low >= of.high:
        return ""
    if of.log and value <= 0:
        return ""
    place = (math.log(value / of.low) / math.log(of.high / of.low)) if of.log else (value - of.low) / (of.high - of.low)
    return "low" if place <= EDGE else "high" if place >= 1 - EDGE else ""
