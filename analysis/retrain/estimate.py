"""What a retraining will train, and how long that may take: printed before it begins, and by ``--dry-run``."""

from collections.abc import Iterator, Sequence
from statistics import fmean

from analysis.image_counts import groups_of
from analysis.results import SweepResults
from analysis.retrain.contenders import Contender, RaceSettings
from analysis.retrain.verdict_table import name_of
from src.data.pairs import find_pairs
from sweeps.plan import SweepPlan
from sweeps.plan_in_words import duration
from sweeps.search.forecast import Forecast
from trainable.smoke_test import EpochCost

FEW_PLACES = 20


def estimate_lines(
    sweep: SweepResults, settings: RaceSettings, plan: SweepPlan, contenders: Sequence[Contender], done: int = 0
) -> Iterator[str]:
    """The trainings and their hours in lines. ``done``: epochs that are trained already.

    An epoch is taken to last as long as in the search. The hours are an upper limit, because trainings end early where
    they no longer improve, and configurations that are clearly worse than the leader are dropped.
    """
    blocks = settings.seeds * max(1, settings.folds)
    trainings, epochs = len(contenders) * blocks, plan.spec.scheduler.max_epochs
    names = ", ".join(name_of(one.trial, contenders[0].trial) for one in contenders)
    each = f"{settings.seeds} seed{'s' * (settings.seeds > 1)}" + f" on {settings.folds} folds" * bool(settings.folds)
    yield f"To be trained: {names}; {each} each, so at most {trainings} trainings of {epochs} epochs."
    root = plan.config.data.root
    places = len(set(groups_of(root, [pair.image.stem for pair in find_pairs(root, "test")])))
    if places < FEW_PLACES and not settings.folds:
        yield f"The test split shows {places} places, so intervals will be wide; --folds 5 tests on all photographs."
    seconds = epoch_seconds(sweep, contenders)
    if seconds is None:
        return
    expected = Forecast({}, trainings * epochs - done, trainings - done / epochs)
    hours = plan.hours(EpochCost(seconds, checkpoint_mib=0.0, device=plan.config.device), expected)
    rest = " for what is left" if done else ""
    yield f"With {seconds:.1f} s per epoch, as in the search, that takes at most about {duration(hours)}{rest}."


def epoch_seconds(sweep: SweepResults, contenders: Sequence[Contender]) -> float | None:
    """The mean seconds of an epoch of the contenders in the search; None if none was timed."""
    names = {one.trial for one in contenders}
    rows = [row for row in sweep.trials.to_dict("records") if row["trial"] in names]
    found = [row["seconds"] / row["epochs"] for row in rows if row["epochs"] and row["seconds"]]
    return fmean(found) if found else None
