"""A study's trials under Ray; whole sweeps are in test_stages."""

import sys
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
