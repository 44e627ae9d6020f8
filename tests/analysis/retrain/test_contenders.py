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
