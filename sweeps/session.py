"""A session of a sweep: it opens the ledger, runs trials until it ends, and says how. Search and retraining use it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from src.errors import UserError
from src.folders import move_aside
from src.provenance import PACKAGES, provenance
from sweeps.identity import differences
from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.plan import SweepPlan
from sweeps.recorded import record_rules
from sweeps.search.events import SessionBegan
from sweeps.search.sampler import Sampler
from sweeps.search.state import SearchState, replay
from sweeps.search.study import Study

NEVER_CHANGED = ("metric", "rungs")
"""Parts of a sweep's identity that cannot be changed: the decisions that were made by the old ones would be wrong."""


@dataclass(frozen=True)
class Session:
    """A sweep that is open for writing."""

    plan: SweepPlan
    study: Study
    ledger: Ledger

    def run(self, console: Console) -> int | None:
        """Run all trials that are left; returns the signal that ended it before they were done, if one did."""
        from sweeps.run_trials import run_trials  # Ray: seconds to import, and nothing to do before all is checked

        received = run_trials(self.plan, self.study, console)
        if self.study.complete:
            self.study.finish()
        else:
            self.study.interrupt()
        return received


def new_ledger(plan: SweepPlan) -> Ledger:
    """Make a new sweep's folder, and the ledger in it; a sweep that is there is moved aside."""
    if (plan.folder / "sweep.yaml").exists():
        print(f"The sweep that was there is now {move_aside(plan.folder)}.")
    plan.folder.mkdir(parents=True, exist_ok=True)
    return Ledger(plan.folder / LEDGER_FILE)


def open_session(
    plan: SweepPlan,
    ledger: Ledger,
    sampler: Sampler,
    identity: Mapping[str, str],
    keep: Mapping[str, Any],
    question: str,
) -> Session:
    """One session more of a sweep.

    ``identity``: of the sweep now; what differs from the session before was accepted. ``keep``: values for the ledger,
    by their keys. Nothing is written before all recorded events were applied and gave the recorded decisions.
    """
    spec, about = plan.spec, provenance()
    state = replay(SearchState(spec.scheduler.build(), spec.metric), ledger.records())
    study = Study(state, sampler, spec.budget, ledger)
    then = ledger.get("identity") or identity
    pairs = {name: [then.get(name, ""), identity.get(name, "")] for name in {**then, **identity}}
    with ledger.transaction():
        record_rules(ledger, spec.scheduler, spec.metric)
        for key, value in {**keep, "identity": dict(identity)}.items():
            ledger.put(key, value)
        changes = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
        study.begin_session(about["commit"], about["packages"], changes)
    plan.save(plan.folder / "sweep.yaml", question)  # from now on there is something to continue
    return Session(plan, study, ledger)


def refuse_changes(ledger: Ledger, now: Mapping[str, str], accept: bool) -> None:
    """A sweep that is no longer the same is a ``UserError`` with the differences, unless they are accepted.

    Another metric and other rungs cannot be accepted.
    """
    before = ledger.get("identity")
    never = [name for name in NEVER_CHANGED if before[name] != now[name]]
    lines = "\n".join(differences(before, now))
    if accept and lines and not never:
        print(f"Accepted, though trials before and after it cannot be compared:\n{lines}")
    if not lines or (accept and not never):
        return
    way = "" if never else "use --accept-changes to continue anyway, or "
    raise UserError(
        f"{ledger.path.parent} was begun with other settings, code or data, so its trials could not be compared:\n"
        f"{lines}\nUndo that, or {way}--fresh to start anew."
    )


def changed_packages(ledger: Ledger) -> list[str]:
    """Packages whose version is not that of the session before, as texts."""
    sessions = [record.event for record in ledger.records() if isinstance(record.event, SessionBegan)]
    before = sessions[-1].packages if sessions else {}
    now = provenance()["packages"]
    return [
        f"{name} {before[name]} -> {now[name]}" for name in PACKAGES if name in before and before[name] != now[name]
    ]
