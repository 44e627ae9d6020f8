"""What a race is made of: who takes part, with which seeds, scored how."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from finished import FinishedSweep

from analysis.results import SweepResults, load_sweep
from analysis.retrain.contenders import RaceSettings, contenders_of, fixed_of, folder_of
from analysis.retrain.retraining import open_retraining, plan_of
from src.config.compose import load_config
from src.errors import UserError
from sweeps.search.forecast import forecast
from trainable.overrides import trial_overrides
from trainable.resources import Resources

ONE_CORE = Resources(trials_at_once=1, cores_per_trial=1)


@pytest.fixture
def sweep(finished_sweep: FinishedSweep) -> SweepResults:
    return load_sweep("tiny_sweep", finished_sweep.output_root)


def asked(**changes: object) -> RaceSettings:
    return RaceSettings(**({"top": 2, "seeds": 3, "epochs": None, "metric": "val/iou_best"} | changes))  # type: ignore


def test_the_race_has_the_searchs_overrides_without_those_it_decides_anew(
    sweep: SweepResults, finished_sweep: FinishedSweep
):
    sweep.about["fixed"].append("seed=9")
    contenders = contenders_of(sweep, asked())
    plan = plan_of(sweep, asked(epochs=7), contenders, ONE_CORE)
    assert plan.folder == folder_of(sweep) == finished_sweep.output_root / "retrain" / "tiny_sweep"
    assert plan.example_values == {"seed": 0, **contenders[-1].params}
    assert "training.epochs=7" in plan.fixed
    assert not any(word.startswith("seed=") for word in plan.fixed)
    assert "training.metric=iou_best" in plan.fixed
    decided = [word for word in plan.fixed if word.startswith(("threads=", "training.epochs=", "output_root="))]
    assert len(decided) == 3
    assert plan.spec.budget.trials == 9
    assert forecast(plan.spec.scheduler, 9).epochs == 63  # no rungs


def test_data_that_was_moved_is_the_same_and_named_where_it_is(sweep: SweepResults, tmp_path: Path):
    sweep = replace(sweep, folder=tmp_path / "sweeps" / "tiny_sweep")
    open_retraining(sweep, asked(top=1), ONE_CORE, resume=False, fresh=False).session.ledger.close()
    root = load_config(sweep.about["fixed"]).data.root
    moved = tmp_path / "moved"
    shutil.copytree(root, moved)
    again = open_retraining(sweep, asked(top=1), ONE_CORE, resume=False, fresh=False, data_root=moved)
    again.session.ledger.close()
    assert again.plan.config.data.root == moved
    sweep.about["fixed"].append("data.root=/nowhere")
    with pytest.raises(UserError, match=r"/nowhere.*--data-root"):
        fixed_of(sweep)
    assert load_config(fixed_of(sweep, moved)).data.root == moved


def test_another_test_split_is_another_race(sweep: SweepResults, tmp_path: Path):
    sweep = replace(sweep, folder=tmp_path / "sweeps" / "tiny_sweep")
    open_retraining(sweep, asked(top=1), ONE_CORE, resume=False, fresh=False).session.ledger.close()
    root = load_config(sweep.about["fixed"]).data.root
    shutil.copytree(root, tmp_path / "data")
    image, *_ = (tmp_path / "data" / "test" / "images").iterdir()
    image.unlink()
    (tmp_path / "data" / "test" / "masks" / image.name).unlink()
    with pytest.raises(UserError, match="test data: "):
        open_retraining(sweep, asked(top=1), ONE_CORE, resume=False, fresh=False, data_root=tmp_path / "data")


def test_code_and_data_that_changed_since_the_search_are_said(
    sweep: SweepResults, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    sweep = replace(sweep, folder=tmp_path / "sweeps" / "tiny_sweep")
    open_retraining(sweep, asked(top=1), ONE_CORE, resume=False, fresh=False).session.ledger.close()
    assert "Changed since the search" not in capsys.readouterr().out
    sweep.identity["data"] = sweep.identity["src/training/losses.py"] = "another"
    open_retraining(sweep, asked(top=1), ONE_CORE, resume=False, fresh=False).session.ledger.close()
    said = ": data, src/training/losses.py"
    assert said in capsys.readouterr().out


def test_a_race_goes_on_with_what_it_was_begun_with_and_fresh_moves_it_aside(
    sweep: SweepResults, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    sweep = replace(sweep, folder=tmp_path / "sweeps" / "tiny_sweep")
    first = open_retraining(sweep, asked(top=1), ONE_CORE, resume=False, fresh=False)
    assert [
        row.params["seed"] for row in (first.session.study.next_trial(), first.session.study.next_trial()) if row
    ] == [0, 0]
    first.session.ledger.close()
    more = open_retraining(sweep, asked(top=1, seeds=5), ONE_CORE, resume=False, fresh=False)  # seeds may be added
    assert (len(more.session.study.state.waiting), more.session.study.budget.trials) == (2, 10)
    more.session.ledger.close()
    with pytest.raises(UserError, match=r"configurations: t0000-\w+, t\d+-\w+ -> t0000-\w+, (.|\n)*--fresh"):
        open_retraining(sweep, asked(top=2), ONE_CORE, resume=False, fresh=False)
    again = open_retraining(sweep, asked(top=2, seeds=0), ONE_CORE, resume=True, fresh=False)
    assert (len(again.race.contenders), again.session.study.budget.trials) == (2, 10)
    again.session.ledger.close()
    more = open_retraining(sweep, asked(top=1, seeds=7), ONE_CORE, resume=True, fresh=False)
    assert more.session.study.budget.trials == 14
    more.session.ledger.close()
    anew = open_retraining(sweep, asked(top=2), ONE_CORE, resume=False, fresh=True)
    assert (len(anew.race.contenders), len(anew.session.study.trials)) == (3, 0)
    (aside,) = (tmp_path / "retrain").glob("tiny_sweep-*")
    assert str(aside) in capsys.readouterr().out.replace("\n", "")


@pytest.mark.parametrize("searched", [False, True])
def test_what_the_search_started_from_its_retraining_starts_from_too(
    searched: bool, sweep: SweepResults, checkpoint: Path
):
    word = f"model.init_from={checkpoint}"
    if searched:
        for params in sweep.params.values():
            params["model.init_from"] = str(checkpoint)
    else:
        sweep.about["fixed"].append(word)
    contenders = contenders_of(sweep, asked())
    plan = plan_of(sweep, asked(), contenders, ONE_CORE)
    for contender in contenders:
        config = load_config(trial_overrides(plan.fixed, {**contender.params, "seed": 1}))
        assert config.model.init_from == str(checkpoint)
