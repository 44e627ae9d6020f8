"""Reads a search from its ledger: scheduler, metric, and the state after replaying all events."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, cast

from src.errors import UserError, unknown
from sweeps.ledger import Ledger
from sweeps.search.scheduler import SchedulerSettings
from sweeps.search.state import SearchState, replay
from sweeps.spec import SCHEDULERS

RULES = "rules"
"""The key of scheduler and metric in a ledger."""


def record_rules(ledger: Ledger, scheduler: SchedulerSettings, metric: str) -> None:
    """Store the scheduler and the metric, so that the ledger can be read without the spec."""
    ledger.put(RULES, {"scheduler": scheduler_to_json(scheduler), "metric": metric})


def read_state(ledger: Ledger) -> SearchState:
    """The state of the search in a ledger. If the scheduler would now decide differently, that is a ``UserError``."""
    rules: dict[str, Any] | None = ledger.get(RULES)
    if rules is None:
        raise UserError(f"{ledger.path} has no sweep: it was killed before it started.")
    try:
        if "asha" in rules:  # written by an older version
            rules["scheduler"] = {"name": "asha", "variant": rules["form"], **rules["asha"]}
        state = SearchState(scheduler_from_json(rules["scheduler"]).build(), rules["metric"])
    except (KeyError, TypeError) as error:
        raise UserError(f"{ledger.path} has rules that this version cannot read ({error!r}): {rules}.") from error
    return replay(state, ledger.records())


def scheduler_to_json(settings: SchedulerSettings) -> dict[str, Any]:
    """A scheduler's name and settings."""
    name = next(name for name, kind in SCHEDULERS.items() if type(settings) is kind)
    return {"name": name, **asdict(cast(Any, settings))}


def scheduler_from_json(content: Mapping[str, Any]) -> SchedulerSettings:
    """The settings that ``scheduler_to_json`` has written. An unknown name is a ``UserError``."""
    if content["name"] not in SCHEDULERS:
        raise unknown("scheduler", content["name"], SCHEDULERS)
    return SCHEDULERS[content["name"]](**{key: value for key, value in content.items() if key != "name"})
