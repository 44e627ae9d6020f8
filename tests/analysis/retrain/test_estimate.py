"""What a retraining will take."""

from dataclasses import replace

import pytest
from finished import FinishedSweep

from analysis.results import SweepResults, load_sweep
from analysis.retrain.contenders import RaceSettings, contenders_of
from analysis.retrain.estimate import epoch_seconds, estimate_lines
from analysis.retrain.retraining import plan_of
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


def test_it_names_the_configurations_and_counts_trainings_and_hours(sweep: SweepResults):
    trained, few, hours = said(sweep, ASKED)
    assert "3 places" in few
    assert "--folds 5" in few
    default, best = contenders_of(sweep, ASKED)
    assert f"{default.trial} (default), {best.trial};" in trained
    assert "3 seeds each, so at most 6 trainings of 4000 epochs" in trained
    seconds = epoch_seconds(sweep, [default, best])
    assert seconds
    in_all = SESSION_SECONDS + 6 * (4000 * seconds + START_SECONDS)
    assert f"at most about {duration(in_all / 3600)}." in hours


def test_with_folds_each_seed_is_trained_on_each(sweep: SweepResults):
    trained, hours = said(sweep, replace(ASKED, seeds=1, folds=5))
    assert "1 seed on 5 folds each, so at most 10 trainings" in trained
    assert "at most about" in hours


def test_what_is_trained_already_is_not_counted_again(sweep: SweepResults):
    *_, hours = said(sweep, ASKED, done=12000)
    seconds = epoch_seconds(sweep, contenders_of(sweep, ASKED))
    assert seconds
    in_all = SESSION_SECONDS + 3 * (4000 * seconds + START_SECONDS)
    assert f"{duration(in_all / 3600)} for what is left" in hours


def test_without_times_of_the_search_no_hours_are_promised(sweep: SweepResults):
    untimed = replace(sweep, trials=sweep.trials.assign(seconds=0.0))
    assert not any("at most about" in line for line in said(untimed, ASKED))
