"""A session of a sweep: opens the ledger and runs trials until the session ends. Search and retraining use it."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from sweeps.search.trial import Trial

if TYPE_CHECKING:
    from sweeps.ray_executor import Executor

NEVER_CHANGED = ("metric", "rungs")
"""Parts of a sweep's identity that cannot be changed, because the decisions made so far would be invalid."""


@dataclass(frozen=True)
class Session:
    """A sweep that is open for writing."""

    plan: SweepPlan
    study: Study
    ledger: Ledger
    label: Callable[[Trial], str] = attrgetter("name")
    """What a trial is called while it runs."""

    def run(self, console: Console, executor: "Executor") -> int | None:
        """Run the remaining trials. Returns the signal that interrupted them, if there was one."""
        from sweeps.run_trials import run_trials  # imports Ray, which takes a second: sessions are tested without

        received = run_trials(self.plan, self.study, console, executor, self.label)
        if self.ledger.rolled_back:  # by a second Ctrl-C: the study knows an event that is not recorded
            self.study.state = recorded_state(self.plan, self.ledger)
        if self.study.complete:
            self.study.finish()
        else:
            self.study.interrupt()
        return received


def new_ledger(plan: SweepPlan) -> Ledger:
    """Make the folder and the ledger of a new sweep. An existing sweep is moved aside."""
    if (plan.folder / "sweep.yaml").exists():
        print(f"The previous sweep was moved to {move_aside(plan.folder)}.")
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
    """Open a new session of a sweep.

    ``identity``: the sweep's present identity; the caller has accepted all changes since the last session. ``keep``:
    values to store in the ledger, by key. Nothing is written before the recorded events were replayed and gave the
    recorded decisions.
    """
    spec, about = plan.spec, provenance()
    study = Study(recorded_state(plan, ledger), sampler, spec.budget, ledger)
    then = ledger.get("identity") or identity
    pairs = {name: [then.get(name, ""), identity.get(name, "")] for name in {**then, **identity}}
    with ledger.transaction():
        ledger.upgrade()
        record_rules(ledger, spec.scheduler, spec.metric)
        for key, value in {**keep, "identity": dict(identity)}.items():
            ledger.put(key, value)
        changes = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
        study.begin_session(
            commit=about["commit"],
            packages=about["packages"],
            changes=changes,
            places=plan.resources.trials_at_once,
            checked_seconds=round(process_seconds(), 1),
        )
    plan.save(plan.folder / "sweep.yaml", question)  # from now on the sweep can be resumed
    return Session(plan, study, ledger)


def process_seconds() -> float:
    """Seconds since this process was started, by the kernel's clock."""
    started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])  # proc(5): starttime, in ticks
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")


def recorded_state(plan: SweepPlan, ledger: Ledger) -> SearchState:
    """The state of the plan's search after all recorded events."""
    return replay(SearchState(plan.spec.scheduler.build(), plan.spec.metric), ledger.records())


def refuse_changes(ledger: Ledger, now: Mapping[str, str], accept: bool) -> None:
    """Raise a ``UserError`` with the differences if the sweep has changed, unless ``accept``.

    A different metric or different rungs are never accepted.
    """
    before = ledger.get("identity")
    never = [name for name in NEVER_CHANGED if before[name] != now[name]]
    lines = "\n".join(differences(before, now))
    if accept and lines and not never:
        print(f"Accepted changes; trials before and after them cannot be compared:\n{lines}")
    if not lines or (accept and not never):
        return
    or_accept = "" if never else "use --accept-changes to continue anyway, or "
    raise UserError(
        f"{ledger.path.parent} was started with other settings, code or data, so its trials could not be compared:\n"
        f"{lines}\nUndo the changes, or {or_accept}--fresh to start over."
    )


def changed_packages(ledger: Ledger) -> list[str]:
    """Packages with another version than in the last session, as ``NAME OLD -> NEW``."""
    sessions = [record.event for record in ledger.records() if isinstance(record.event, SessionBegan)]
    before = sessions[-1].packages if sessions else {}
    now = provenance()["packages"]
    return [
        f"{name} {before[name]} -> {now[name]}" for name in PACKAGES if name in before and before[name] != now[name]
    ]
