"""The command at the end of a session."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from made_up_search import make, play

from src.errors import UserError
from sweeps.on_end import Ending, command_at_end, run_at_end
from sweeps.plan import SweepPlan
from sweeps.search.study import Study


@pytest.fixture
def plan(tmp_path: Path) -> SweepPlan:
    made: Any = SimpleNamespace(name="mine", folder=tmp_path / "mine")
    return cast(SweepPlan, made)


@pytest.fixture
def finished() -> Study:
    study = make()
    play(study)
    return study


def test_it_knows_how_the_session_ended(plan: SweepPlan, finished: Study, tmp_path: Path):
    told = tmp_path / "told"
    run_at_end(f"env | grep ^SWEEP_ | sort > '{told}'", plan, finished, Ending(0))
    best = max(finished.trials.values(), key=lambda trial: trial.score or 0)
    assert told.read_text().splitlines() == [
        f"SWEEP_BEST_SCORE={best.score:.4f}",
        f"SWEEP_BEST_TRIAL={best.name}",
        "SWEEP_EXIT_CODE=0",
        f"SWEEP_FOLDER={plan.folder}",
        "SWEEP_NAME=mine",
        "SWEEP_STATE=finished",
        "SWEEP_TRIALS=8",
    ]
    run_at_end(f"echo $SWEEP_BEST_TRIAL $SWEEP_BEST_SCORE > '{told}'", plan, finished, Ending(0, ("t0003-chosen", 0.5)))
    assert told.read_text() == "t0003-chosen 0.5000\n"
    half = make()
    play(half, steps=3)
    run_at_end(f"echo $SWEEP_STATE $SWEEP_EXIT_CODE > '{told}'", plan, half, Ending(130))
    assert told.read_text() == "interrupted 130\n"


def test_a_command_that_fails_is_told_of_and_nothing_more(
    plan: SweepPlan, finished: Study, capsys: pytest.CaptureFixture[str]
):
    run_at_end(None, plan, finished, Ending(0))
    run_at_end("exit 7", plan, finished, Ending(0))
    assert capsys.readouterr().out.count("--on-end") == 1
    run_at_end("x" * 10_000_000, plan, finished, Ending(0))
    assert "--on-end" in capsys.readouterr().out


@pytest.mark.parametrize(("error", "code"), [(UserError("a"), 2), (KeyboardInterrupt(), 130), (ValueError("b"), 1)])
def test_after_an_error_it_is_told_the_exit_code_of_the_process(
    error: BaseException, code: int, plan: SweepPlan, finished: Study, tmp_path: Path
):
    told = tmp_path / "told"
    with pytest.raises(type(error)), command_at_end(f"echo $SWEEP_EXIT_CODE > '{told}'", plan, finished):
        raise error
    assert told.read_text() == f"{code}\n"
