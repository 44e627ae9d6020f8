"""What a retraining will take."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from finished import FinishedSweep

from analysis.results import SweepResults, load_sweep
from analysis.retrain.contenders import RaceSettings, contenders_of
from analysis.retrain.estimate import epoch_seconds, estimate_beside, estimate_lines
from analysis.retrain.retraining import open_retraining, plan_of
from src.cards import Card
from sweeps.plan import SESSION_SECONDS, START_SECONDS
from sweeps.plan_in_words import duration
from trainable.resources import Resources

ONE_CORE = Resources(trials_at_once=1, cores_per_trial=1)
ASKED = RaceSettings(top=1, seeds=3, epochs=4000, metric="val/iou_best")


@pytest.fixture
def sweep(finished_sweep: FinishedSweep) -> SweepResults:
    return load_sweep("tiny_sweep", finished_sweep.output_root)


def said(sweep: SweepResults, settings: RaceSettings, done: int = 0) -> tuple[str, ...]:
    contenders = contenders_of(sweep, settings)
    return tuple(estimate_lines(sweep, settings, plan_of(sweep, settings, contenders, ONE_CORE), contenders, done))


def seconds_of(sweep: SweepResults, now: Resources = ONE_CORE) -> float:
    found = epoch_seconds(sweep, contenders_of(sweep, ASKED), now)
    assert found
    return found


def test_it_names_the_configurations_and_counts_trainings_and_hours(sweep: SweepResults):
    trained, few, hours = said(sweep, ASKED)
    assert "3 places" in few
    assert "--folds 5" in few
    default, best = contenders_of(sweep, ASKED)
    rows = sweep.trials.set_index("trial").loc[[default.trial, best.trial]]
    cores = max(1, sweep.about["resources"]["cores_per_trial"])
    assert seconds_of(sweep) == pytest.approx((rows["seconds"] / rows["epochs"]).mean() * cores)
    assert f"{default.trial} (default), {best.trial};" in trained
    assert "3 seeds each, so at most 6 trainings of 4000 epochs" in trained
    in_all = SESSION_SECONDS + 6 * (4000 * seconds_of(sweep) + START_SECONDS)
    assert f"takes about {duration(in_all / 3600)} " in hours


def test_with_folds_each_seed_is_trained_on_each(sweep: SweepResults):
    trained, hours = said(sweep, replace(ASKED, seeds=1, folds=5))
    assert "1 seed on 5 folds each, so at most 10 trainings" in trained
    assert "takes about" in hours


def test_what_is_trained_already_is_not_counted_again(sweep: SweepResults):
    trained, hours = said(sweep, ASKED, done=12000)  # --folds is no choice any more
    assert "12000 epochs are trained already" in trained
    in_all = SESSION_SECONDS + 3 * (4000 * seconds_of(sweep) + START_SECONDS)
    assert duration(in_all / 3600) in hours


def test_without_times_of_the_search_no_hours_are_promised(sweep: SweepResults):
    untimed = replace(sweep, trials=sweep.trials.assign(seconds=0.0))
    assert not any("takes about" in line for line in said(untimed, ASKED))


CARDS = (Card("RTX", 8000, 7000),) * 2


@pytest.mark.parametrize(
    ("then", "now", "share"),
    [
        ({"trials_at_once": 1, "cores_per_trial": 4, "cards": []}, Resources(4, 1), 4.0),
        ({"trials_at_once": 4, "cores_per_trial": 1, "cards": []}, Resources(1, 4), 1.0),
        ({"trials_at_once": 3, "cores_per_trial": 2, "cards": ["RTX"]}, Resources(2, 2, CARDS), 1 / 3),
        ({"trials_at_once": 1, "cores_per_trial": 2, "cards": ["RTX"]}, Resources(1, 2, CARDS[:1]), 1.0),
    ],
)
def test_an_epoch_with_other_resources_takes_no_longer_than_this(
    sweep: SweepResults, then: dict[str, Any], now: Resources, share: float
):
    as_then = replace(
        sweep, about=sweep.about | {"resources": {"trials_at_once": 1, "cores_per_trial": 1, "cards": []}}
    )
    other = replace(sweep, about=sweep.about | {"resources": then})
    assert seconds_of(other, now) == pytest.approx(seconds_of(as_then) * share)


def test_of_a_search_on_a_card_nothing_is_known_on_a_cpu(sweep: SweepResults):
    on_card = {"resources": {"trials_at_once": 1, "cores_per_trial": 2, "cards": ["RTX"]}}
    contenders = contenders_of(sweep, ASKED)
    assert epoch_seconds(replace(sweep, about=sweep.about | on_card), contenders, ONE_CORE) is None
    assert epoch_seconds(replace(sweep, about={}), contenders, ONE_CORE) is None


def test_a_retraining_that_is_there_is_named_with_its_options(sweep: SweepResults, tmp_path: Path):
    sweep = replace(sweep, folder=tmp_path / "sweeps" / "tiny_sweep")
    asked = replace(ASKED, epochs=None)
    plan, contenders = plan_of(sweep, asked, contenders_of(sweep, asked), ONE_CORE), contenders_of(sweep, asked)
    assert not any("--resume" in line for line in estimate_beside(sweep, asked, plan, contenders))
    open_retraining(sweep, asked, ONE_CORE, resume=False, fresh=False).session.ledger.close()
    *_, there = estimate_beside(sweep, replace(asked, seeds=9), plan, contenders)
    assert "--top 1 --seeds 3 --metric val/iou_best: --resume continues it" in there
