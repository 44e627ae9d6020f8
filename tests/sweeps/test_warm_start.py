"""What a sweep takes from one that was before."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from sessions import begin, open_study

from src.errors import UserError
from sweeps import warm_start as module
from sweeps.identity import identity
from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.plan import SweepPlan, make_plan
from sweeps.search.sampler import ModelSampler
from sweeps.spec import Asha, SweepSpec, load_spec
from sweeps.warm_start import POINTS, warm_start

LR = "training.optimizer.lr_scale"
LOSS = "training.loss"


@pytest.fixture
def tiny(tiny_here: list[str]) -> list[str]:
    return tiny_here


def spec_of(tiny: list[str], space: dict[str, BaseDistribution], max_epochs: int = 9) -> SweepSpec:
    fixed = tuple(word for word in tiny if not word.startswith(("training.epochs=", "threads=")))
    asha = Asha(grace_period=1, reduction_factor=3, max_epochs=max_epochs)
    return replace(load_spec("quickstart"), fixed=fixed, space=space, scheduler=asha)


@pytest.fixture
def before(tiny: list[str]) -> Path:
    """A sweep of the learning rate whose trials score by it; the first failed."""
    return sweep_of(tiny, {LR: FloatDistribution(0.01, 10.0, log=True)})


def sweep_of(fixed: list[str], space: dict[str, BaseDistribution], max_epochs: int = 9) -> Path:
    """The folder of a sweep of five trials that nobody trained."""
    plan = make_plan("before", spec_of(fixed, space, max_epochs), seed=0)
    ledger = begin(plan)
    study = open_study(plan, ledger, {}, identity(plan, "quickstart"))
    plan.save(plan.folder / "sweep.yaml", "Why?")
    while len(study.trials) < 5:
        row = study.next_trial()
        assert row
        if row.number == 0:
            study.fail(row.name, "it broke", retry=False)
            continue
        for epoch in range(row.epochs + 1, 4):
            study.report(row.name, epoch, {"val/iou_best": row.params.get(LR, 1.0) / 100 + epoch / 100})
    ledger.close()
    return plan.folder


def trials_of(folder: Path) -> list[dict[str, Any]]:
    ledger = Ledger(folder / LEDGER_FILE, read_only=True)
    try:
        return ledger.trials()
    finally:
        ledger.close()


def plan_of(tiny: list[str], space: dict[str, BaseDistribution], max_epochs: int = 9) -> SweepPlan:
    return make_plan("after", spec_of(tiny, space, max_epochs), seed=1)


def test_its_trials_enter_the_model_as_points_of_our_space(tiny: list[str], before: Path):
    space: dict[str, BaseDistribution] = {
        LR: FloatDistribution(0.001, 100.0, log=True),
        LOSS: CategoricalDistribution(["bce", "dice_bce"]),
    }
    warm = warm_start(before, plan_of(tiny, space))
    assert not warm.points
    assert len(warm.trials) == 5
    assert {row.params[LOSS] for row in warm.trials} == {"dice_bce"}  # the value of its configuration
    assert [row.number for row in warm.trials] == sorted(row.number for row in warm.trials)  # the latest know most
    for row in warm.trials:
        expected = {epoch: row.params[LR] / 100 + epoch / 100 for epoch in (1, 3)}
        assert row.values == ({} if row.state == "failed" else pytest.approx(expected))


def test_points_outside_of_our_ranges_are_left_out_and_counted(tiny: list[str], before: Path):
    narrow = warm_start(before, plan_of(tiny, {LR: FloatDistribution(0.9, 1.1)}))
    assert [row.params[LR] for row in narrow.trials] == [1.0]  # trial 0, the default
    assert narrow.outside == 4
    assert [*narrow.lines()][1].startswith("4 trials")


@pytest.mark.parametrize(
    ("word", "difference"),
    [
        ("model.encoder=resnet18", "model.encoder.name is tu-test_resnet here, resnet18 there"),
        ("training.loss=bce", "training.loss.dice.weight is 0.5 here, nothing there"),
        ("training.optimizer=sgd", "training.optimizer.name is adamw here, sgd there"),
        ("data.image_size=[64,64]", "data.image_size is [32, 32] here, [64, 64] there"),
        ("data.augmentation=none", "data.augmentation"),
        ("training.lr_scheduler=constant", "training.lr_scheduler.name is cosine here, constant there"),
    ],
)
def test_trials_that_were_trained_differently_are_elsewhere_and_the_best_are_tried_first(
    tiny: list[str], word: str, difference: str
):
    other = sweep_of([*tiny, word], {LR: FloatDistribution(0.01, 10.0, log=True)})
    warm = warm_start(other, plan_of(tiny, {LR: FloatDistribution(0.01, 10.0, log=True)}))
    assert not warm.trials
    assert len(warm.elsewhere) == 5
    assert len(warm.points) == POINTS
    head, why = warm.lines()
    assert head.startswith("0 trials")
    assert "5 others" in head
    assert f"{POINTS} points" in head
    assert why.startswith("5 trials")
    assert difference in why


def test_trials_that_were_trained_for_another_time_count_at_the_same_share_of_it(tiny: list[str], before: Path):
    warm = warm_start(before, plan_of(tiny, {LR: FloatDistribution(0.01, 10.0)}, max_epochs=27))
    assert not warm.trials
    assert [found.key for found in warm.differing] == ["training.epochs"] * 5
    told = [trial for trial in warm.elsewhere if trial.state != "failed"]
    assert len(told) == 4
    assert [trial.number for trial in warm.elsewhere] == [0, 1, 2, 3, 4]
    for trial in told:  # epochs 1 and 3 of 9
        assert trial.values == pytest.approx({epoch: trial.params[LR] / 100 + epoch / 300 for epoch in (3, 9)})


def test_an_epoch_of_a_shorter_training_counts_at_one_rung_only(tiny: list[str], before: Path):
    plan = plan_of([*tiny, "training.loss=bce"], {LR: FloatDistribution(0.01, 10.0)})
    rungs = Asha(grace_period=1, reduction_factor=2, max_epochs=16)
    warm = warm_start(before, replace(plan, spec=replace(plan.spec, scheduler=rungs)))
    for trial in warm.elsewhere:
        assert [*trial.values] in ([], [1, 4])  # 2 would be epoch 1 of 9 again


def test_a_sweep_in_which_all_trials_failed_says_nothing_to_the_model(
    tiny: list[str], before: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "convert_trial", lambda trial, *_: [replace(trial, values={}, state="failed")])
    assert not warm_start(before, plan_of([*tiny, "training.loss=bce"], {LR: FloatDistribution(0.01, 10.0)})).elsewhere


def test_a_model_that_knows_one_task_only_gets_points_to_try_first(tiny: list[str], before: Path):
    plan = plan_of([*tiny, "training.loss=bce"], {LR: FloatDistribution(0.01, 10.0)})
    warm = warm_start(before, replace(plan, spec=replace(plan.spec, sampler="tpe")))
    assert not warm.elsewhere
    assert len(warm.points) == POINTS
    assert "0 others" in next(warm.lines())


def test_rungs_may_be_others_for_values_of_the_same_epochs(tiny: list[str], before: Path):
    plan = plan_of(tiny, {LR: FloatDistribution(0.01, 10.0, log=True)})
    rungs = Asha(grace_period=2, reduction_factor=3, max_epochs=9)
    warm = warm_start(before, replace(plan, spec=replace(plan.spec, scheduler=rungs)))
    told = [row for row in warm.trials if row.state != "failed"]
    assert told
    assert all(row.values == pytest.approx({2: row.params[LR] / 100 + 0.02}) for row in told)


@pytest.mark.parametrize(
    "word", ["seed=7", "threads=3", "data.num_workers=1", "evaluation.tta=d4", "experiment_name=x"]
)
def test_what_does_not_decide_a_training_may_be_another(tiny: list[str], word: str):
    other = sweep_of(
        [*(one for one in tiny if not one.startswith("threads=")), word], {LR: FloatDistribution(0.01, 10.0)}
    )
    warm = warm_start(other, plan_of(tiny, {LR: FloatDistribution(0.01, 10.0)}))
    assert len(warm.trials) == 5
    assert not warm.elsewhere
    (only,) = warm.lines()
    assert only.startswith("5 trials")
    assert "0 others" in only


def test_a_key_that_only_the_other_searched_must_have_had_our_value(tiny: list[str]):
    losses = CategoricalDistribution(["bce", "dice_bce"])
    other = sweep_of(tiny, {LR: FloatDistribution(0.01, 10.0, log=True), LOSS: losses})
    ours = warm_start(other, plan_of(tiny, {LR: FloatDistribution(0.001, 100.0, log=True)}))
    trained = {row["params"][LR]: row["params"][LOSS] for row in trials_of(other)}
    assert set(trained.values()) == {"bce", "dice_bce"}
    assert {row.params[LR] for row in ours.trials} == {rate for rate, loss in trained.items() if loss == "dice_bce"}
    assert 0 < len(ours.points) <= sum(loss == "bce" for loss in trained.values())
    assert [found.key for found in ours.differing] == ["training.loss.dice.weight"] * (5 - len(ours.trials))


def test_points_to_try_first_are_none_that_are_known_or_tried_anyway(tiny: list[str]):
    other = sweep_of(tiny, {"training.optimizer.weight_decay": FloatDistribution(0.001, 0.1)})
    warm = warm_start(other, plan_of(tiny, {LR: FloatDistribution(0.01, 10.0)}))
    assert len(warm.trials) == 1  # the default
    assert warm.points == []  # all others are the default of this space


def test_other_code_of_trainings_is_named_and_new_files_are_none(
    tiny: list[str], before: Path, monkeypatch: pytest.MonkeyPatch
):
    plan = plan_of(tiny, {LR: FloatDistribution(0.01, 10.0, log=True)})
    code = module.training_code()
    monkeypatch.setattr(module, "training_code", lambda: code | {"src/new.py": "x"})
    assert not warm_start(before, plan).differing
    monkeypatch.setattr(module, "training_code", lambda: code | {"src/training/losses.py": "x"})
    warm = warm_start(before, plan)
    assert not warm.trials
    assert {found.key for found in warm.differing} == {"src/training/losses.py"}


def test_a_folder_of_data_that_was_moved_holds_the_same_data(tiny: list[str], before: Path, tmp_path: Path):
    root = next(word.partition("=")[2] for word in tiny if word.startswith("data.root="))
    shutil.copytree(root, tmp_path / "moved")
    warm = warm_start(before, plan_of([*tiny, f"data.root={tmp_path / 'moved'}"], {LR: FloatDistribution(0.01, 10.0)}))
    assert len(warm.trials) == 5


def test_of_a_sweep_on_other_data_the_best_points_are_tried_first(
    tiny: list[str], before: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "data_fingerprint", lambda _: "other")
    plan = plan_of(tiny, {LR: FloatDistribution(0.01, 10.0)})
    warm = warm_start(before, plan)
    assert not warm.trials
    assert {found.key for found in warm.differing} == {"data"}
    assert len(warm.points) == POINTS
    rates = [cast(float, point[LR]) for point in warm.points]
    assert rates == sorted(rates, reverse=True)  # it scored by the rate
    study = open_study(plan, begin(plan, warm), {}, {})
    study.next_trial()
    second = study.next_trial()
    assert second
    assert (second.params, second.origin) == (warm.points[0], "given")


def test_the_model_of_the_new_sweep_knows_them_and_so_does_its_next_session(tiny: list[str], before: Path):
    plan = plan_of(tiny, {LR: FloatDistribution(0.01, 10.0, log=True)})
    warm = warm_start(before, plan)
    warm.elsewhere = warm.trials[:2]
    ledger = begin(plan, warm)
    for _ in range(2):
        sampler = cast(ModelSampler, open_study(plan, ledger, {}, {}).sampler)
        kept = [replace(row, name="", number=0, score=None) for row in warm.trials]
        assert (sampler.known.trials, sampler.known.elsewhere) == (kept, kept[:2])


@pytest.mark.parametrize(
    ("name", "known"),
    [("data", 0), ("src/training/losses.py", 0), ("fixed: training.loss", 0), ("sweeps/search/asha.py", 5)],
)
def test_trials_from_before_an_accepted_change_are_of_what_was_then(
    tiny: list[str], before: Path, name: str, known: int
):
    space: dict[str, BaseDistribution] = {LR: FloatDistribution(0.01, 10.0, log=True)}
    plan, ledger = make_plan("before", spec_of(tiny, space), seed=0), Ledger(before / LEDGER_FILE)
    now = identity(plan, "quickstart")
    ledger.put("identity", now | {name: "another"})  # of all its trials, until the session that goes on with ours
    open_study(plan, ledger, {}, now)
    ledger.close()
    warm = warm_start(before, plan_of(tiny, space))
    assert len(warm.trials) == known
    assert {found.theirs for found in warm.differing} == (set() if known else {"another"})


def test_another_metric_cannot_be_compared(tiny: list[str], before: Path):
    plan = plan_of(tiny, {LR: FloatDistribution(0.01, 10.0)})
    with pytest.raises(UserError, match=r"val/iou_best.*val/f1"):
        warm_start(before, replace(plan, spec=replace(plan.spec, metric="val/f1")))


def test_a_folder_without_a_sweep_is_named(tiny: list[str], tmp_path: Path):
    with pytest.raises(UserError, match="No ledger in"):
        warm_start(tmp_path, plan_of(tiny, {LR: FloatDistribution(0.01, 10.0)}))
