"""The search that a ledger holds: its scheduler and metric, and its state when all events are applied again."""

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
    """Keep what decides about trials, so that a ledger can be read without its spec."""
    ledger.put(RULES, {"scheduler": scheduler_to_json(scheduler), "metric": metric})


def read_state(ledger: Ledger) -> SearchState:
    """The search in a ledger, to look at; a scheduler that would decide otherwise now is a ``UserError``."""
    rules: dict[str, Any] | None = ledger.get(RULES)
    if rules is None:
        raise UserError(f"{ledger.path} holds no sweep: it was killed before it began.")
    if "asha" in rules:  # of an older version
        rules["scheduler"] = {"name": "asha", "variant": rules["form"], **rules["asha"]}
    scheduler = scheduler_from_json(rules["scheduler"])
    return replay(SearchState(scheduler.build(), rules["metric"]), ledger.records())


def scheduler_to_json(settings: SchedulerSettings) -> dict[str, Any]:
    """A scheduler's name and settings."""
    name = next(name for name, kind in SCHEDULERS.items() if type(settings) is kind)
    return {"name": name, **asdict(cast(Any, settings))}


def scheduler_from_json(found: Mapping[str, Any]) -> SchedulerSettings:
    """The settings that ``scheduler_to_json`` has written. A name that is not known here is a ``UserError``."""
    if found["name"] not in SCHEDULERS:
        raise unknown("scheduler", found["name"], SCHEDULERS)
    return SCHEDULERS[found["name"]](**{key: value for key, value in found.items() if key != "name"})
