"""A sweep as an Optuna study, for ``optuna-dashboard``: rebuilt from the ledger, and never read again."""

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import optuna
from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import OperationalError

from src.atomic import replaced_file
from sweeps.leaderboard import TrialRow
from sweeps.ledger import Ledger
from sweeps.space import Branch, Names, branches, distributions
from sweeps.spec import Space
from sweeps.study import Study

STATES = {
    "complete": TrialState.COMPLETE,
    "paused": TrialState.PRUNED,
    "stopped": TrialState.PRUNED,
    "failed": TrialState.FAIL,
    "running": TrialState.RUNNING,
    "waiting": TrialState.RUNNING,
}


def export(study: Study, ledger: Ledger, space: Space, name: str, path: Path) -> None:
    """Write ``path``, an SQLite file with one Optuna study; one that is there is replaced. A full disk: ``OSError``."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    times = ledger.times()
    names = Names(branches(space))
    found = [(row, distributions(space, row.params)) for row in study.rows.values()]
    trials = [frozen(row, ledger.values(row.name), times[row.name], branch, names) for row, branch in found]
    try:
        # an address would be read by Optuna, SQLAlchemy and SQLite, who all have a meaning for some sign of a path
        with replaced_file(path) as partial:
            engine = {"creator": lambda: sqlite3.connect(partial)}
            storage = optuna.storages.RDBStorage("sqlite://", engine_kwargs=engine)
            optuna.create_study(storage=storage, study_name=name, direction="maximize").add_trials(trials)
            storage.engine.dispose()
    except (StorageInternalError, OperationalError) as error:
        raise OSError(f"{path} cannot be written: {error.__cause__ or error}") from error


def frozen(
    row: TrialRow, values: dict[int, float | None], times: tuple[str, str], branch: Branch | None, names: Names
) -> FrozenTrial:
    """A trial in Optuna's words. One that was stopped at a rung is PRUNED, with the values of all its epochs.

    One that lies outside of a space that was changed since is there without parameters. A clock that was set back makes
    no trial end before it began.
    """
    state = STATES[row.state]
    trial = create_trial(
        state=state,
        value=row.score if state in (TrialState.COMPLETE, TrialState.PRUNED) else None,
        params=names.named(branch, row.params) if branch else {},
        distributions=names.named(branch, branch) if branch else {},
        intermediate_values={epoch: value for epoch, value in values.items() if value is not None},
        user_attrs={"trial": row.name, "origin": row.origin, "best_epoch": row.best_epoch, "reason": row.reason},
    )
    start, end = (datetime.fromisoformat(time) for time in times)
    trial.datetime_start = start.replace(tzinfo=None)
    trial.datetime_complete = trial.datetime_start + max(end - start, timedelta()) if state.is_finished() else None
    return trial
