"""A study's trials under Ray; whole sweeps are in test_stages."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from checkout import ROOT
from rich.console import Console

from src.cards import Card
from sweeps.local_ray import LocalRay
from sweeps.neighbours import announced
from sweeps.plan import SweepPlan, make_plan
from sweeps.ray_executor import Executor
from sweeps.run_trials import executor_for, run_trials
from sweeps.search.sampler import ModelSampler
from sweeps.search.state import SearchState
from sweeps.search.study import Study
from sweeps.spec import load_spec
from trainable.resources import share_machine

CARD = Card("RTX", memory_mib=8000, free_mib=7000, context_mib=400)


def test_where_nothing_is_left_to_run_no_process_is_asked():
    class Finished:
        at_rest = True

    assert run_trials(cast(SweepPlan, None), cast(Study, Finished()), Console(), cast(Executor, None)) is None


@pytest.fixture
def plan(tiny: list[str], tmp_path: Path) -> SweepPlan:
    """Of two trials that share a card."""
    spec = load_spec("quickstart")
    words = (*spec.fixed, f"output_root={tmp_path}", *(word for word in tiny if word.startswith("data.root")))
    spec = replace(spec, fixed=words, budget=replace(spec.budget, trials_at_once=2))
    return make_plan("quickstart", spec, seed=0, resources=share_machine(2, [CARD]))


def test_a_trial_is_told_its_rungs_and_its_share_of_the_card(plan: SweepPlan):
    told = executor_for(plan, LocalRay(plan.resources)).plan
    assert told.rungs == (3, 9)
    assert (told.trials_per_card, told.card_free_mib) == (2, 7000)
    assert told.memory_limit_mib == CARD.share(2)


def test_other_sweeps_on_the_same_card_are_named_before_the_first_trial(
    plan: SweepPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    plan.folder.mkdir(parents=True)
    sampler = ModelSampler(plan.spec.space, 0, plan.default_params)
    study = Study(SearchState(plan.spec.scheduler.build(), plan.spec.metric), sampler, plan.spec.budget)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    said = Console(file=StringIO(), width=500)
    with announced("another", plan.resources):
        run_trials(plan, study, said, cast(Executor, SimpleNamespace(run=lambda *_, **__: None)))
    assert "another (process" in cast(StringIO, said.file).getvalue()


def run_placed(tmp_path: Path, *words: str) -> list[dict[str, str]]:
    """What the processes of a search of trials that only sleep say of themselves, a line an epoch."""
    command = [sys.executable, "-m", "tests.sleeping_trials", str(tmp_path), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in (tmp_path / "said.txt").read_text().splitlines()]


def started(tmp_path: Path) -> int:
    """How many processes were started, whether or not they trained anything."""
    return len((tmp_path / "starts.txt").read_text().splitlines())


@pytest.mark.slow
def test_all_places_train_on_a_card_each_though_rungs_come_sooner_than_a_process_starts(tmp_path: Path):
    said = run_placed(tmp_path, "--places", "2", "--gpus", "2", "--trials", "16")
    assert sorted({line["pid"]: line["cards"] for line in said}.values()) == ["0", "1"]
    assert started(tmp_path) == 2


@pytest.mark.slow  # that a node which joins later does work is a default test (test_cluster.py)
def test_a_process_that_starts_later_than_another_is_not_given_up(tmp_path: Path):
    said = run_placed(tmp_path, "--places", "2", "--trials", "24", "--first-at-once")
    assert started(tmp_path) == 2
    epochs = Counter(line["pid"] for line in said)
    assert len(epochs) == 2
    assert min(epochs.values()) > 0.2 * sum(epochs.values())


@pytest.mark.slow
def test_a_process_that_dies_is_replaced_once_and_its_place_goes_on(tmp_path: Path):
    said = run_placed(tmp_path, "--places", "2", "--trials", "24", "--dies", "3")
    assert started(tmp_path) == 3
    epochs = Counter(line["pid"] for line in said)
    assert len(epochs) == 3
    assert sorted(epochs.values())[1] > 0.1 * len(said)  # the process that came later, though rungs are short


@pytest.mark.slow
@pytest.mark.parametrize(
    ("places", "gpus", "cards"),
    [(4, 4, ["0", "1", "2", "3"]), (4, 2, ["0", "0", "1", "1"]), (2, 4, ["0", "1"])],
)
def test_cards_are_shared_evenly_or_left_unused(places: int, gpus: int, cards: list[str], tmp_path: Path):
    words = ["--places", str(places), "--gpus", str(gpus), "--trials", str(places), "--together", str(places)]
    said = run_placed(tmp_path, *words)
    assert sorted({line["pid"]: line["cards"] for line in said}.values()) == cards
