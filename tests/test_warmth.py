"""What a sweep takes from one that was before."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from src.errors import UserError
from sweeps import warmth as module
from sweeps.plan import SweepPlan, make_plan
from sweeps.sampler import Sampler
from sweeps.session import begin, identity, open_study
from sweeps.spec import Asha, SweepSpec, load_spec
from sweeps.warmth import POINTS, warmth

LR = "training.optimizer.lr_scale"
LOSS = "training.loss"


def spec_of(tiny: list[str], space: dict[str, BaseDistribution], max_epochs: int = 9) -> SweepSpec:
    fixed = tuple(word for word in tiny if not word.startswith(("training.epochs=", "threads=")))
    asha = Asha(grace_period=1, reduction_factor=3, max_epochs=max_epochs)
    return replace(load_spec("quickstart"), fixed=fixed, space=space, asha=asha)


@pytest.fixture
def before(tiny: list[str]) -> Path:
    """A sweep of the learning rate whose trials score by it; the first failed."""
    plan = make_plan("before", spec_of(tiny, {LR: FloatDistribution(0.01, 10.0, log=True)}), seed=0)
    ledger = begin(plan)
    study = open_study(plan, ledger, {}, identity(plan, "quickstart"))
    plan.save(plan.folder / "sweep.yaml", "Why?")
    while len(study.rows) < 5:
        row = study.next_job()
        assert row
        if row.number == 0:
            study.fail(row.name, "it broke", retry=False)
            continue
        for epoch in range(row.epochs + 1, 4):
            study.report(row.name, epoch, {"val/iou_best": row.params[LR] / 100 + epoch / 100})
    ledger.close()
    return plan.folder


def plan_of(tiny: list[str], space: dict[str, BaseDistribution], max_epochs: int = 9) -> SweepPlan:
    return make_plan("after", spec_of(tiny, space, max_epochs), seed=1)


def test_its_trials_enter_the_model_as_points_of_our_space(tiny: list[str], before: Path):
    space: dict[str, BaseDistribution] = {
        LR: FloatDistribution(0.001, 100.0, log=True),
        LOSS: CategoricalDistribution(["bce", "dice_bce"]),
    }
    warm = warmth(before, plan_of(tiny, space))
    assert not warm.points
    assert len(warm.rows) == 5
    assert {row.params[LOSS] for row in warm.rows} == {"dice_bce"}  # the value of its configuration
    for row in warm.rows:
        expected = {epoch: row.params[LR] / 100 + epoch / 100 for epoch in (1, 3)}
        assert row.values == ({} if row.state == "failed" else pytest.approx(expected))


def test_points_outside_of_our_ranges_or_without_our_keys_are_left_out(tiny: list[str], before: Path):
    narrow = warmth(before, plan_of(tiny, {LR: FloatDistribution(0.9, 1.1)}))
    assert [row.params[LR] for row in narrow.rows] == [1.0]  # trial 0, the default
    other = warmth(before, plan_of(tiny, {LOSS: CategoricalDistribution(["bce", "dice_bce"])}))
    assert {row.params[LOSS] for row in other.rows} == {"dice_bce"}


def test_values_are_those_of_the_same_part_of_a_training(tiny: list[str], before: Path):
    warm = warmth(before, plan_of(tiny, {LR: FloatDistribution(0.01, 10.0)}, max_epochs=27))
    told = [row for row in warm.rows if row.state != "failed"]
    for row in told:  # our rungs 1, 3, 9 of 27 are its epochs 0, 1, 3 of 9
        assert row.values == pytest.approx({3: row.params[LR] / 100 + 0.01, 9: row.params[LR] / 100 + 0.03})


def test_of_a_sweep_on_other_data_the_best_points_are_tried_first(
    tiny: list[str], before: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "data_fingerprint", lambda _: "other")
    plan = plan_of(tiny, {LR: FloatDistribution(0.01, 10.0)})
    warm = warmth(before, plan)
    assert not warm.rows
    assert len(warm.points) == POINTS
    rates = [cast(float, point[LR]) for point in warm.points]
    assert rates == sorted(rates, reverse=True)  # it scored by the rate
    study = open_study(plan, begin(plan, warm), {}, {})
    study.next_job()
    second = study.next_job()
    assert second
    assert (second.params, second.origin) == (warm.points[0], "given")


def test_the_model_of_the_new_sweep_knows_them_and_so_does_its_next_session(tiny: list[str], before: Path):
    plan = plan_of(tiny, {LR: FloatDistribution(0.01, 10.0, log=True)})
    warm = warmth(before, plan)
    ledger = begin(plan, warm)
    for _ in range(2):
        sampler = cast(Sampler, open_study(plan, ledger, {}, {}).sampler)
        assert sampler.before == [replace(row, name="", score=None) for row in warm.rows]


def test_another_metric_cannot_be_compared(tiny: list[str], before: Path):
    plan = plan_of(tiny, {LR: FloatDistribution(0.01, 10.0)})
    with pytest.raises(UserError, match="was ranked by val/iou_best, this sweep is by val/f1"):
        warmth(before, replace(plan, spec=replace(plan.spec, metric="val/f1")))


def test_a_folder_without_a_sweep_is_named(tiny: list[str], tmp_path: Path):
    with pytest.raises(UserError, match="No ledger in"):
        warmth(tmp_path, plan_of(tiny, {LR: FloatDistribution(0.01, 10.0)}))
