"""What is checked before the first trial; whole commands are in test_sweep.py."""

from dataclasses import replace
from typing import Any

import pytest
from optuna.samplers import TPESampler

from src.errors import UserError
from sweeps.plan import make_plan
from sweeps.preflight import check_sampler
from sweeps.spec import load_spec


@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        (lambda seed: None, "None"),
        (lambda seed: TPESampler(**{"sead": seed}), "sead"),
        (lambda: TPESampler(), "argument"),
    ],
)
def test_a_sampler_that_cannot_propose_is_refused_before_the_first_trial(sampler: Any, words: str):
    plan = make_plan("quickstart", load_spec("quickstart"), seed=0)
    with pytest.raises(UserError, match=rf"sampler=.*{words}"):
        check_sampler(replace(plan, spec=replace(plan.spec, sampler=sampler)))


def test_a_sampler_that_can_is_not():
    plan = make_plan("quickstart", load_spec("quickstart"), seed=0)
    for sampler in ("gp", "random", lambda seed: TPESampler(seed=seed, multivariate=True)):
        check_sampler(replace(plan, spec=replace(plan.spec, sampler=sampler)))
