"""A study's trials under Ray; whole sweeps are in test_stages."""

import json
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
from rich.console import Console

from sweeps.execution import run_trials
from sweeps.plan import SweepPlan
from sweeps.study import Study


def test_where_nothing_is_left_to_run_ray_is_not_started(monkeypatch: pytest.MonkeyPatch):
    class Finished:
        finished = True

    monkeypatch.setattr(sys.modules["sweeps.execution"], "local_ray", None)  # starting it would fail
    assert run_trials(cast(SweepPlan, None), cast(Study, Finished()), Console()) is None


def run_placed(tmp_path: Path, *words: str) -> list[dict[str, str]]:
    """What the processes of a search of trials that only sleep say of themselves, a line a start or epoch."""
    done = subprocess.run(
        [sys.executable, "tests/sleeping_trials.py", str(tmp_path), *words], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in (tmp_path / "said.txt").read_text().splitlines()]


def test_all_places_train_on_a_card_each_though_rungs_come_sooner_than_a_process_starts(tmp_path: Path):
    said = run_placed(tmp_path, "--places", "2", "--gpus", "2", "--trials", "16")
    assert sorted({line["pid"]: line["cards"] for line in said}.values()) == ["0", "1"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("places", "gpus", "cards"),
    [(4, 4, ["0", "1", "2", "3"]), (4, 2, ["0", "0", "1", "1"]), (2, 4, ["0", "1"])],
)
def test_cards_are_shared_evenly_or_left_unused(places: int, gpus: int, cards: list[str], tmp_path: Path):
    words = ["--places", str(places), "--gpus", str(gpus), "--trials", str(places), "--together", str(places)]
    said = run_placed(tmp_path, *words)
    assert sorted({line["pid"]: line["cards"] for line in said}.values()) == cards
