"""Exports a sweep as an Optuna study (``study.db``) for ``optuna-dashboard``. The sweep itself never reads it."""

import sqlite3
import time
import warnings
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.trial import FrozenTrial, create_trial
from optuna.trial import TrialState as OptunaState
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import StaticPool

from src.atomic import replaced_file
from sweeps.ledger import Ledger
from sweeps.search.space import Branch, Names, Space, branches, distributions
from sweeps.search.study import Study
from sweeps.search.trial import Trial, TrialState

STATES: dict[str, OptunaState] = {
    TrialState.COMPLETE: OptunaState.COMPLETE,
    TrialState.PAUSED: OptunaState.PRUNED,
    TrialState.STOPPED: OptunaState.PRUNED,
    TrialState.FAILED: OptunaState.FAIL,
    TrialState.SKIPPED: OptunaState.FAIL,
    TrialState.RUNNING: OptunaState.RUNNING,
    TrialState.WAITING: OptunaState.RUNNING,
}


WAIT, LIVE_WAIT = 5.0, 0.5
"""Seconds for which a program that reads the file is waited for."""
LIVE: dict[str, OptunaState] = STATES | {TrialState.PAUSED: OptunaState.RUNNING}
"""While a sweep runs: a paused trial may go on, but the dashboard never reads a trial again that has ended."""


def export(study: Study, ledger: Ledger, space: Space, name: str, path: Path, live: bool = False) -> None:
    """Write ``path``, an SQLite file with one Optuna study, or its new content. A full disk raises ``OSError``.

    A program that has the file open sees the new content. ``live``: the sweep goes on.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    times = ledger.times()
    names = Names(branches(space))
    pairs = [(trial, distributions(space, trial.params)) for trial in study.trials.values()]
    states = LIVE if live else STATES
    exported = [
        frozen(trial, states[trial.state], ledger.values(trial.name), times[trial.name], branch, names)
        for trial, branch in pairs
    ]
    try:
        with sqlite3.connect(":memory:") as made:
            # no URL: Optuna, SQLAlchemy and SQLite each give some character of a path a special meaning
            engine = {"creator": lambda: made, "poolclass": StaticPool}
            storage = optuna.storages.RDBStorage("sqlite://", engine_kwargs=engine)
            theirs = optuna.create_study(storage=storage, study_name=name, direction="maximize")
            with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
                theirs.set_metric_names([study.state.metric])
            theirs.add_trials(exported)
            copy_into(made, path, LIVE_WAIT if live else WAIT)
    except (StorageInternalError, OperationalError, sqlite3.OperationalError) as error:
        raise OSError(f"{path} cannot be written: {error.__cause__ or error}") from error


def copy_into(database: sqlite3.Connection, path: Path, wait: float) -> None:
    """Make the file's content that of the database, in one transaction.

    A file that is no database is replaced. So is one that another program reads without an end for ``wait`` seconds,
    at the end of a session (``WAIT``); while the sweep runs that is an ``OSError``.
    """
    end = time.monotonic() + wait

    def give_up(status: int, remaining: int, total: int) -> None:  # SQLite itself would wait for ever
        if time.monotonic() > end:
            raise TimeoutError(f"{path} cannot be written: another program reads it")

    try:
        with closing(sqlite3.connect(path, timeout=wait)) as file:
            database.backup(file, progress=give_up)
    except (sqlite3.DatabaseError, TimeoutError) as error:
        in_use = isinstance(error, TimeoutError) and wait == WAIT
        if not in_use and isinstance(error, TimeoutError | sqlite3.OperationalError):
            raise
        with replaced_file(path) as partial, closing(sqlite3.connect(partial)) as file:
            database.backup(file)


def frozen(
    trial: Trial,
    state: OptunaState,
    values: dict[int, float | None],
    times: tuple[str, str],
    branch: Branch | None,
    names: Names,
) -> FrozenTrial:
    """Convert a trial to Optuna's type. A trial that was stopped at a rung is PRUNED, with the values of all epochs.

    A trial outside of a space that was changed later is exported without parameters. If the clock was set back, the
    trial ends when it started.
    """
    attributes = {"trial": trial.name, "origin": trial.origin, "best_epoch": trial.best_epoch, "reason": trial.reason}
    exported = create_trial(
        state=state,
        value=trial.score if state in (OptunaState.COMPLETE, OptunaState.PRUNED) else None,
        params=names.named(branch, trial.params) if branch else {},
        distributions=names.named(branch, branch) if branch else {},
        intermediate_values={epoch: value for epoch, value in values.items() if value is not None},
        user_attrs=attributes,
    )
    start, end = (datetime.fromisoformat(time) for time in times)
    exported.datetime_start = start.replace(tzinfo=None)
    exported.datetime_complete = (
        exported.datetime_start + max(end - start, timedelta()) if state.is_finished() else None
    )
    return exported
