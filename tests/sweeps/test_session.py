"""Sessions of a sweep: what makes two of them parts of the same one."""

import signal
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from rich.console import Console
from sessions import begin, open_study

from src.errors import UserError
from src.provenance import provenance
from sweeps import session
from sweeps.identity import identity
from sweeps.ledger import Ledger
from sweeps.plan import SweepPlan, make_plan
from sweeps.ray_executor import Executor
from sweeps.search.events import Interrupted, Reported, Resumed, SessionBegan, Started
from sweeps.session import NEVER_CHANGED, Session, changed_packages, refuse_changes
from sweeps.spec import Asha, load_spec


@pytest.fixture
def tiny(tiny_here: list[str]) -> list[str]:
    return tiny_here


@pytest.fixture
def plan(tiny: list[str], tmp_path: Path) -> SweepPlan:
    fixed = tuple(word for word in tiny if not word.startswith(("training.epochs=", "threads=")))
    return make_plan("mine", replace(load_spec("quickstart"), fixed=fixed), seed=0)


COMMAND = {"spec": "quickstart"}


@pytest.fixture
def now(plan: SweepPlan) -> dict[str, str]:
    return identity(plan, "quickstart")


@pytest.fixture
def ledger(plan: SweepPlan, now: dict[str, str]) -> Ledger:
    ledger = begin(plan)
    open_study(plan, ledger, COMMAND, now)
    return ledger


def test_the_same_sweep_goes_on(plan: SweepPlan, ledger: Ledger):
    refuse_changes(ledger, identity(plan, "quickstart"), accept=False)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"seed": 7}, "search seed: 0 -> 7"),
        ({"default_params": {"training.optimizer.lr_scale": 2.0, "training.loss": "bce"}}, "first points: "),
        ({"fixed": ("model.encoder=resnet18",)}, "fixed: model.encoder: tiny -> resnet18"),
    ],
)
def test_a_sweep_that_is_no_longer_the_same_is_refused_with_the_difference(
    plan: SweepPlan, ledger: Ledger, change: dict[str, object], line: str, capsys: pytest.CaptureFixture[str]
):
    fixed = change.pop("fixed", None)
    other = replace(plan, **change) if fixed is None else replace(plan, fixed=plan.fixed.plus(fixed))  # type: ignore
    now = identity(other, "quickstart")
    with pytest.raises(UserError, match=line) as caught:
        refuse_changes(ledger, now, accept=False)
    assert "--accept-changes" in str(caught.value)
    refuse_changes(ledger, now, accept=True)
    assert line in capsys.readouterr().out
    open_study(other, ledger, COMMAND, now)
    refuse_changes(ledger, now, accept=False)  # from now on it is this one


@pytest.mark.parametrize("name", NEVER_CHANGED)
def test_what_trials_were_compared_by_cannot_be_changed(ledger: Ledger, now: dict[str, str], name: str):
    with pytest.raises(UserError, match=f"{name}: .* -> other") as caught:
        refuse_changes(ledger, now | {name: "other"}, accept=True)
    assert "--accept-changes" not in str(caught.value)


def test_a_session_that_cannot_go_on_leaves_the_ledger_as_it_was(
    plan: SweepPlan, ledger: Ledger, now: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    study = open_study(plan, ledger, COMMAND, now)
    study.next_trial()  # the default, which no rung stops
    row = study.next_trial()
    assert row
    study.report(row.name, 1, {"val/iou_best": 0.5})
    before = list(ledger.database.iterdump())
    rungs = Asha(grace_period=1, reduction_factor=3, max_epochs=18)
    with pytest.raises(UserError, match="was recorded"):
        open_study(replace(plan, spec=replace(plan.spec, scheduler=rungs)), ledger, {}, {})
    more = replace(plan, spec=replace(plan.spec, budget=replace(plan.spec.budget, trials=99)))

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ledger, "_put_event", killed)
    with pytest.raises(KeyboardInterrupt):
        open_study(more, ledger, {}, {})
    assert list(ledger.database.iterdump()) == before


def test_a_version_that_changed_is_said(ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    assert changed_packages(ledger) == []
    now = provenance()["packages"] | {"ray": "9.9"}
    monkeypatch.setattr(session, "provenance", lambda: {"packages": now})
    (change,) = changed_packages(ledger)
    assert change.startswith("ray ")
    assert change.endswith(" -> 9.9")


def test_another_session_has_the_trials_of_the_first(plan: SweepPlan, now: dict[str, str]):
    ledger = begin(plan)
    first = open_study(plan, ledger, COMMAND, now)
    row = first.next_trial()
    assert row
    first.report(row.name, 1, {"val/iou_best": 0.5})
    second = open_study(plan, ledger, COMMAND, now)
    assert second.trials[row.name].epochs == 1
    assert second.next_trial() == second.trials[row.name]
    assert [type(record.event) for record in ledger.records()] == [
        SessionBegan,
        Started,
        Reported,
        SessionBegan,
        Resumed,
    ]


def test_a_new_sweep_moves_the_old_one_aside(plan: SweepPlan, ledger: Ledger, capsys: pytest.CaptureFixture[str]):
    (plan.folder / "sweep.yaml").write_text("old")
    ledger.close()
    begin(plan)
    assert not (plan.folder / "sweep.yaml").exists()
    (aside,) = (path for path in plan.folder.parent.glob("mine-*"))
    assert (aside / "sweep.yaml").read_text() == "old"
    assert str(aside) in capsys.readouterr().out


def test_a_write_that_a_second_interrupt_undid_is_not_taken_for_done(
    plan: SweepPlan, now: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    one = replace(plan, spec=replace(plan.spec, budget=replace(plan.spec.budget, trials=1)))
    ledger = begin(one)
    study = open_study(one, ledger, COMMAND, now)
    trial = study.next_trial()
    assert trial

    def interrupted(*_: object) -> int:
        def killed(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(ledger, "_put_event", killed)
            with pytest.raises(KeyboardInterrupt):
                study.report(trial.name, 1, {"val/iou_best": 0.5}, finished=True)
        assert study.complete
        return signal.SIGINT

    monkeypatch.setattr("sweeps.run_trials.run_trials", interrupted)
    assert Session(one, study, ledger).run(Console(), cast(Executor, None)) == signal.SIGINT
    assert not study.complete
    assert study.trials[trial.name].state == "waiting"
    assert [type(record.event) for record in ledger.records()] == [SessionBegan, Started, Interrupted]
    assert ledger.trials()[0]["state"] == "waiting"
