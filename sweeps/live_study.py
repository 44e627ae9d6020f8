"""Keeps ``study.db`` up to date while a sweep runs, so that optuna-dashboard shows it as it goes."""

import sys
import time
from contextlib import suppress

from sweeps.ledger import Ledger
from sweeps.observer import Observer
from sweeps.plan import SweepPlan
from sweeps.search.study import Study
from sweeps.search.trial import Trial

EVERY_SECONDS = 30.0
"""Between two exports, at least."""
SHARE = 0.02
"""Of the time, at most, that exports take: in a large sweep they are rarer."""
EXPORTER = "sweeps.export"


class LiveStudy(Observer):
    """Exports the study after reports and ends of trials, if the last export is long enough ago."""

    def __init__(self, plan: SweepPlan, study: Study, ledger: Ledger) -> None:
        self.plan, self.study, self.ledger = plan, study, ledger
        self.due = time.monotonic() + EVERY_SECONDS

    def reported(self, trial: Trial) -> None:
        self.export()

    def left(self, trial: Trial) -> None:
        self.export()

    def export(self) -> None:
        # imported early by a thread (``run_trials.import_early``): importing it here would hold up the places
        if time.monotonic() < self.due or EXPORTER not in sys.modules:
            return
        from sweeps.export import export

        started = time.monotonic()
        path = self.plan.folder / "study.db"
        with suppress(OSError):  # a full disk: the ledger reports it, and the end of the session writes the file again
            export(self.study, self.ledger, self.plan.spec.space, self.plan.name, path, live=True)
        now = time.monotonic()
        self.due = now + max(EVERY_SECONDS, (now - started) / SHARE)
