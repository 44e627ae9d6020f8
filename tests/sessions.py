"""Sessions of a sweep without Ray, for tests that look at what one leaves to the next."""

from collections.abc import Mapping
from typing import Any

from sweeps.ledger import Ledger
from sweeps.plan import SweepPlan
from sweeps.search.study import Study
from sweeps.session import new_ledger, open_session
from sweeps.sweep import build_sampler, recorded_warm_start, warm_start_to_json
from sweeps.warm_start import WarmStart


def begin(plan: SweepPlan, warm: WarmStart | None = None) -> Ledger:
    """The ledger of a new sweep, as it is before its first session."""
    ledger = new_ledger(plan)
    for key, value in warm_start_to_json(warm or WarmStart()).items():
        ledger.put(key, value)
    return ledger


def open_study(plan: SweepPlan, ledger: Ledger, command: Mapping[str, Any], now: Mapping[str, str]) -> Study:
    """One session more of the sweep in a ledger."""
    warm = recorded_warm_start(ledger)
    keep = {"command": dict(command), "trials": plan.spec.budget.trials, **warm}
    return open_session(plan, ledger, build_sampler(plan, warm), now, keep, "Why?").study
