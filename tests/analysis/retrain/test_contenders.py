"""Who takes part in a race, and with which seeds."""

import pytest
from finished import FinishedSweep

from analysis.results import SweepResults, load_sweep
from analysis.retrain.contenders import RaceSettings, best_values, contenders_of, epochs_of, fresh_seeds
from src.errors import UserError


@pytest.fixture
def sweep(finished_sweep: FinishedSweep) -> SweepResults:
    return load_sweep("tiny_sweep", finished_sweep.output_root)


def asked(**changes: object) -> RaceSettings:
    return RaceSettings(**({"top": 2, "seeds": 3, "epochs": None, "metric": "val/iou_best"} | changes))  # type: ignore


def test_the_default_comes_first_and_then_the_best_others(sweep: SweepResults):
    found = contenders_of(sweep, asked())
    ranked = [name for name in sweep.ranked["trial"] if not name.startswith("t0000")]
    assert found[0].trial.startswith("t0000")
    assert [contender.trial for contender in found[1:]] == ranked[:2]
    for contender in found:
        assert contender.params == sweep.params[contender.trial]
        row = sweep.trials.set_index("trial").loc[contender.trial].to_dict()
        assert (contender.score, contender.epochs) == (row["score"], row["epochs"])
    assert {"complete", "stopped"} == set(sweep.trials["state"])
    assert len(contenders_of(sweep, asked(top=99))) == len(sweep.trials)


def test_another_metric_ranks_by_its_own_best_epochs(sweep: SweepResults):
    values = best_values(sweep, "val/f1")
    for name, value in values.items():
        assert value == max(sweep.reports[sweep.reports["trial"] == name]["val/f1"].tolist())
    best = [contender.trial for contender in contenders_of(sweep, asked(metric="val/f1"))][1]
    assert values[best] == max(value for name, value in values.items() if not name.startswith("t0000"))


def test_a_sweep_without_scores_has_nothing_to_train_again(sweep: SweepResults):
    sweep.trials["state"] = "failed"
    with pytest.raises(UserError, match=r"val/\w+"):
        contenders_of(sweep, asked())


def test_a_training_that_early_stopping_has_ended_counts_as_a_whole_one(sweep: SweepResults):
    best = str(sweep.ranked["trial"].iloc[0])
    sweep.trials.loc[sweep.trials["trial"] == best, ["state", "epochs"]] = "complete", 2
    assert epochs_of(sweep, best) == 3


def test_fresh_seeds_leave_out_the_one_the_search_used(sweep: SweepResults):
    assert fresh_seeds(sweep, 3) == [0, 1, 2]
    sweep.about["fixed"].append("seed=1")
    assert fresh_seeds(sweep, 3) == [0, 2, 3]


def test_a_sweep_that_has_searched_the_seed_is_refused(sweep: SweepResults):
    for params in sweep.params.values():
        params["seed"] = 1
    with pytest.raises(UserError, match="'seed'"):
        contenders_of(sweep, asked())


def test_within_a_limit_only_those_that_keep_it_take_part_and_the_default_is_told_if_it_does_not(sweep: SweepResults):
    others = [name for name in sweep.ranked["trial"] if not name.startswith("t0000")]
    costs = dict.fromkeys(sweep.params, 5.0) | {others[0]: 50.0}
    sweep.reports["cost/milliseconds"] = [costs[trial] for trial in sweep.reports["trial"]]
    found = contenders_of(sweep, asked(within=("milliseconds=30",)))
    assert [one.trial for one in found[1:]] == others[1:3]
    assert not any(one.broken for one in found)
    costs |= {found[0].trial: 40.0}
    sweep.reports["cost/milliseconds"] = [costs[trial] for trial in sweep.reports["trial"]]
    assert contenders_of(sweep, asked(within=("milliseconds=30",)))[0].broken == "milliseconds 40 > 30"
    with pytest.raises(UserError, match=r"milliseconds <= 1\b.*milliseconds 5\b"):
        contenders_of(sweep, asked(within=("milliseconds=1",)))


def test_without_measured_costs_nothing_is_within_a_limit(sweep: SweepResults):
    del sweep.reports["cost/milliseconds"]
    with pytest.raises(UserError, match="--within"):
        contenders_of(sweep, asked(within=("milliseconds=30",)))
