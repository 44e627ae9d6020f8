"""What a retraining will train, and how long that may take: printed before it begins, and by ``--dry-run``."""

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any

from analysis.image_counts import groups_of
from analysis.results import SweepResults
from analysis.retrain.contenders import Contender, RaceSettings, folder_of
from analysis.retrain.retraining import Retraining, read_race, settings_of
from analysis.retrain.verdict_table import name_of
from src.data.pairs import find_pairs
from sweeps.plan import SweepPlan
from sweeps.plan_in_words import duration
from sweeps.search.forecast import Forecast
from trainable.resources import Resources
from trainable.smoke_test import EpochCost

FEW_PLACES = 20


def estimate_of_rest(sweep: SweepResults, retraining: Retraining) -> Iterator[str]:
    """For a retraining that is open: what is left of it; nothing if that is nothing."""
    study, contenders = retraining.session.study, [*retraining.race.contenders.values()]
    if not study.at_rest:
        yield from estimate_lines(sweep, retraining.settings, retraining.plan, contenders, study.state.epochs)


def estimate_beside(
    sweep: SweepResults, settings: RaceSettings, plan: SweepPlan, contenders: Sequence[Contender]
) -> Iterator[str]:
    """For a dry run: what a new retraining would take, and whether there is one already."""
    yield from estimate_lines(sweep, settings, plan, contenders)
    if before := read_race(folder_of(sweep)):
        options = settings_of(before).options
        yield (
            f"There is one already in {folder_of(sweep)}, started with {options}: --resume continues it, --fresh moves "
            "it aside."
        )


def estimate_lines(
    sweep: SweepResults, settings: RaceSettings, plan: SweepPlan, contenders: Sequence[Contender], done: int = 0
) -> Iterator[str]:
    """The trainings and their hours. ``done``: epochs that are trained already.

    It takes less where trainings end early, because they no longer improve, and where configurations are dropped,
    because they are clearly worse than the leader.
    """
    trainings, epochs = len(contenders) * settings.seeds * max(1, settings.folds), plan.spec.scheduler.max_epochs
    names = ", ".join(name_of(one.trial, contenders[0].trial) for one in contenders)
    each = f"{settings.seeds} seed{'s' * (settings.seeds > 1)}" + f" on {settings.folds} folds" * bool(settings.folds)
    before = f" ({done} epochs are trained already)" if done else ""
    yield f"To be trained: {names}; {each} each, so at most {trainings} trainings of {epochs} epochs{before}."
    root = plan.config.data.root
    places = len(set(groups_of(root, [pair.image.stem for pair in find_pairs(root, "test")])))
    if places < FEW_PLACES and not settings.folds and not done:
        yield (
            f"The test split shows only {places} place{'s' * (places > 1)}, so intervals will be wide; --folds 5 tests "
            "on all photographs."
        )
    seconds = epoch_seconds(sweep, contenders, plan.resources)
    if seconds is not None:
        expected = Forecast({}, trainings * epochs - done, trainings - done / epochs)
        hours = plan.hours(EpochCost(seconds, checkpoint_mib=0.0, device=plan.config.device), expected)
        yield (
            f"By the times of the search ({seconds:.1f} s per epoch) that takes about {duration(hours)} on an idle "
            "machine, and less where trainings end early."
        )


def epoch_seconds(sweep: SweepResults, contenders: Sequence[Contender], now: Resources) -> float | None:
    """The mean seconds of an epoch of the contenders, by those of the search; None if these say nothing about it.

    On fewer cores than in the search an epoch takes longer by their ratio at most. Trials that shared a card in the
    search slowed each other down; here they are counted one after the other, at the pace that they had together.
    """
    then: dict[str, Any] = sweep.about.get("resources", {})
    names = {one.trial for one in contenders}
    rows = [row for row in sweep.trials.to_dict("records") if row["trial"] in names]
    found = [row["seconds"] / row["epochs"] for row in rows if row["epochs"] and row["seconds"]]
    cards = len(then.get("cards", []))
    if not found or not then or bool(cards) != bool(now.cards):
        return None
    share = cards / then["trials_at_once"] if cards else max(1.0, then["cores_per_trial"] / now.cores_per_trial)
    return fmean(found) * share
