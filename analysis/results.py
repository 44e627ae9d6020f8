"""Reads a sweep's folder into a table of trials and a table of reports.

It only reads files, so it works while the sweep is running, after it was killed, and on another machine. The results
are in the sweep's ledger (see ``sweeps.ledger`` for its tables).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, cast

import pandas as pd
import pyarrow as pa
import pyarrow.json

from src.config.compose import load_config
from src.errors import UserError, unknown
from src.folders import in_full
from sweeps.about import read_about
from sweeps.busy import Busy, busy
from sweeps.ledger import LEDGER_FILE, Ledger, is_finished
from sweeps.search.trial import rank
from sweeps.writer import writer

COLUMNS = (
    "trial",
    "number",
    "state",
    "origin",
    "epochs",
    "score",
    "best_epoch",
    "seconds",
    "started",
    "ended",
    "reason",
)

BLOCK_BYTES = 8 * 2**20
"""The size of the JSON blocks that pyarrow parses."""


@dataclass(frozen=True)
class Range:
    """The search range of one key, or its choices."""

    low: float = 0.0
    high: float = 0.0
    log: bool = False
    choices: tuple[Any, ...] = ()
    step: float | None = None

    @classmethod
    def of(cls, distribution: Mapping[str, Any]) -> Self:
        """Make it from Optuna's JSON of a distribution."""
        attributes: Mapping[str, Any] = distribution["attributes"]
        if "choices" in attributes:
            return cls(choices=tuple(attributes["choices"]))
        return cls(attributes["low"], attributes["high"], bool(attributes["log"]), step=attributes["step"])

    def __str__(self) -> str:
        """``1e-05 to 0.01 (log)`` or ``one of a, b``."""
        if self.choices:
            return f"one of {', '.join(map(str, self.choices))}"
        step = f" in steps of {self.step}" if self.step not in (None, 1) else ""
        return f"{self.low} to {self.high}{step}{' (log)' if self.log else ''}"


@dataclass(frozen=True)
class SweepResults:
    """The results of a sweep, in any state, as read from its files."""

    folder: Path
    about: dict[str, Any]
    """The content of ``sweep.yaml``: the sweep as run."""
    state: str
    """``running``, ``finished``, or ``interrupted`` (it can be resumed)."""
    trials: pd.DataFrame
    """One row per trial, best first: ``trial`` (the name), ``number``, ``state``, ``origin``, ``epochs``, ``score``
    (the best value of the sweep's metric), ``best_epoch``, ``seconds`` (in epochs), ``started`` and ``ended`` (times),
    ``reason``, and one column per parameter; nan if a trial does not have the key."""
    reports: pd.DataFrame
    """One row per trial and epoch, in the order of arrival: ``trial``, ``epoch``, ``value`` (the sweep's metric; nan if
    it was not finite), ``decision``, ``time``, and one column per metric."""
    params: dict[str, dict[str, Any]]
    """The sampled values of each trial."""
    ranges: dict[str, dict[str, Range]] = field(default_factory=dict[str, dict[str, Range]])
    """The search ranges on each trial's branch of the search space; missing in older sweeps."""
    identity: dict[str, str] = field(default_factory=dict[str, str])
    """The sweep's identity (``sweeps.identity``): space, rungs, fixed overrides, data, files of code, by name."""

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def metric(self) -> str:
        return str(self.about["metric"])

    @property
    def parameters(self) -> list[str]:
        """The searched keys. In a conditional space not every trial has all of them."""
        return list(dict.fromkeys(key for params in self.params.values() for key in params))

    @property
    def micro_batches(self) -> dict[str, int]:
        """The micro-batch of each trial that ran out of memory, which is smaller than its ``data.batch_size``."""
        if "micro_batch" not in self.reports:
            return {}
        halved: Any = self.reports.dropna(subset="micro_batch")
        return {trial: int(size) for trial, size in halved.groupby("trial")["micro_batch"].min().items()}

    @property
    def rungs(self) -> list[int]:
        """The epochs at which trials were compared, and the last epoch."""
        return [*self.about["scheduler"]["rungs"], self.about["scheduler"]["max_epochs"]]

    @property
    def search_space(self) -> dict[str, str]:
        """The planned range of each key in words, over all branches of a conditional space."""
        branches = [{key: str(Range.of(value)) for key, value in branch.items()} for branch in self.about["space"]]
        keys = dict.fromkeys(key for branch in branches for key in branch)
        return {key: " or ".join(dict.fromkeys(branch[key] for branch in branches if key in branch)) for key in keys}

    def ranges_of(self, key: str) -> list[Range]:
        """The different search ranges that trials had for a key."""
        return list(dict.fromkeys(ranges[key] for ranges in self.ranges.values() if key in ranges))

    @property
    def default(self) -> str:
        """Trial 0, the default configuration; empty if there is no trial."""
        return next(
            (name for name, number in zip(self.trials["trial"], self.trials["number"], strict=True) if number == 0), ""
        )

    @property
    def begun(self) -> str:
        """The start of trial 0, in UTC. It distinguishes sweeps that were started under the same name."""
        times = zip(self.trials["number"], self.trials["started"], strict=True)
        return next((str(time) for number, time in times if number == 0), "")  # not the minimum: clocks may be set back

    def find_verdict(self) -> Path | None:
        """The folder of a finished retraining of this sweep: the one with the sweep's name, else the newest.

        It is also found if the sweep was moved aside.
        """
        written = self.folder.parents[1].glob("retrain/*/verdict.json")
        own = [path for path in written if self._is_ours(read_verdict(path.parent))]
        newest = max(own, key=lambda path: (path.parent.name == self.name, path.stat().st_mtime), default=None)
        return newest and newest.parent

    def _is_ours(self, verdict: Mapping[str, Any]) -> bool:
        return verdict.get("sweep_begun") == self.begun and set(verdict.get("contenders", ())) <= self.params.keys()

    @property
    def ranked(self) -> pd.DataFrame:
        """The trials that have a score and did not fail, best first."""
        return self.trials.query("state not in ('failed', 'skipped')").dropna(subset="score")


def read_verdict(folder: Path) -> dict[str, Any]:
    """Read ``verdict.json``, which ``retrain-best`` has written; empty if it cannot be read."""
    try:
        return cast(dict[str, Any], json.loads((folder / "verdict.json").read_text()))
    except ValueError:
        return {}


def sweeps_dir(output_root: Path | None = None) -> Path:
    """The folder of all sweeps: ``{output_root}/sweeps``."""
    return (output_root or load_config().output_root) / "sweeps"


def load_sweep(name: str, output_root: Path | None = None) -> SweepResults:
    """Read the sweep with that name, in any state. An unknown name is a ``UserError``."""
    root = sweeps_dir(output_root)
    folder = root / name
    if not (folder / "sweep.yaml").is_file():
        names = [path.parent.name for path in root.glob("*/sweep.yaml")]
        raise unknown(f"sweep in {in_full(root)}", name, names) if names else no_sweep(root)
    return read_folder(folder)


def no_sweep(root: Path) -> UserError:
    """The error for a folder without sweeps."""
    return UserError(
        f"No sweep in {in_full(root)}. Run one first (python -m sweeps.run --list), change to the repository's root, "
        "or use --output-root FOLDER."
    )


def read_folder(folder: Path) -> SweepResults:
    """Read the sweep in a folder. A folder without a readable ledger is a ``UserError``."""
    about = read_about(folder)
    ledger = Ledger(folder / LEDGER_FILE, read_only=True)
    try:
        ended = is_finished(ledger)
        state = "finished" if ended else "running" if writer(folder) else "interrupted"
        reports = read_reports(ledger)
        trials, params = read_trials(ledger, reports)
        identity, ranges = ledger.get("identity") or {}, read_ranges(ledger)
    finally:
        ledger.close()
    if state != "running":  # a killed session leaves trials marked as running
        trials["state"] = trials["state"].replace("running", "waiting")
    return SweepResults(folder, about, state, trials, reports, params, ranges, identity)


def read_busy(folder: Path) -> Busy:
    """How busy the sweep's places were. It is read apart, as it takes all events one by one."""
    ledger = Ledger(folder / LEDGER_FILE, read_only=True)
    try:
        return busy(ledger.records())
    finally:
        ledger.close()


def read_reports(ledger: Ledger) -> pd.DataFrame:
    """``SweepResults.reports``."""
    query = "SELECT report.trial, epoch, value, decision, time FROM report JOIN event USING (seq) ORDER BY seq"
    columns = ["trial", "epoch", "value", "decision", "time"]
    reports = pd.DataFrame(ledger.database.execute(query).fetchall(), columns=columns).astype({"value": float})
    reports["time"] = pd.to_datetime(reports["time"], utc=True, format="ISO8601")
    if reports.empty:
        return reports
    query = "SELECT group_concat(metrics, char(10)) FROM (SELECT metrics FROM report ORDER BY seq)"
    (lines,) = ledger.database.execute(query).fetchone()
    for word in ("NaN", "-Infinity", "Infinity"):  # Python writes them, but they are not valid JSON
        lines = lines.replace(word, "null")
    options = pyarrow.json.ReadOptions(block_size=BLOCK_BYTES)
    metrics = pyarrow.json.read_json(pa.BufferReader(lines.encode()), read_options=options).to_pandas()
    return pd.concat([reports, metrics], axis=1)


def read_trials(ledger: Ledger, reports: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
    """``SweepResults.trials``, and each trial's parameters."""
    rows, times = ledger.trials(), ledger.times()
    best_epochs, seconds = best_epochs_and_seconds(reports)
    params = {str(row["name"]): cast(dict[str, Any], row["params"]) for row in rows}
    keys = list(dict.fromkeys(key for found in params.values() for key in found))
    lines: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda row: rank(row["state"], row["score"], row["name"])):
        name = str(row["name"])
        about = {key: row[key] for key in ("number", "state", "origin", "epochs", "score")}
        when = dict(zip(("started", "ended"), times[name], strict=True))
        found = {"best_epoch": best_epochs.get(name, 0), "seconds": seconds.get(name, 0.0)}
        sampled = {key: params[name].get(key) for key in keys}
        lines.append({"trial": name} | about | found | when | {"reason": row["reason"]} | sampled)
    trials = pd.DataFrame(lines, columns=[*COLUMNS, *keys]).astype({"score": float})
    for name in ("started", "ended"):
        trials[name] = pd.to_datetime(trials[name], utc=True, format="ISO8601")
    return trials, params


def read_ranges(ledger: Ledger) -> dict[str, dict[str, Range]]:
    """``SweepResults.ranges``."""
    started = ledger.database.execute("SELECT trial, detail FROM event WHERE kind = 'start' ORDER BY seq")
    spaces = {trial: json.loads(detail).get("space", {}) for trial, detail in started}
    return {trial: {key: Range.of(found) for key, found in space.items()} for trial, space in spaces.items()}


def best_epochs_and_seconds(reports: pd.DataFrame) -> tuple[dict[str, int], dict[str, float]]:
    """Each trial's best epoch (the first of equal ones), and its time in epochs."""
    if "epoch_seconds" not in reports:
        return {}, {}
    table: Any = reports
    sound = table.dropna(subset="value")
    best = sound.loc[sound.groupby("trial", sort=False)["value"].idxmax()]
    seconds = table.groupby("trial", sort=False)["epoch_seconds"].sum()
    return dict(zip(best["trial"], best["epoch"], strict=True)), seconds.to_dict()
