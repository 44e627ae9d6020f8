"""Reads a sweep's folder: one table of trials, one of reports.

Files only, so it works beside a running sweep, after a killed one, and on a laptop. What a sweep knows is in its ledger
(``sweeps.ledger`` says which tables).
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
from sweeps.ledger import LEDGER_FILE, Ledger, is_finished, writer
from sweeps.search.trial import rank

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
"""Of JSON that pyarrow parses at a time."""


@dataclass(frozen=True)
class Range:
    """What was searched of one key: a range, or choices."""

    low: float = 0.0
    high: float = 0.0
    log: bool = False
    choices: tuple[Any, ...] = ()
    step: float | None = None

    @classmethod
    def of(cls, distribution: Mapping[str, Any]) -> Self:
        """Of Optuna's JSON of a distribution."""
        known: Mapping[str, Any] = distribution["attributes"]
        if "choices" in known:
            return cls(choices=tuple(known["choices"]))
        return cls(known["low"], known["high"], bool(known["log"]), step=known["step"])

    def __str__(self) -> str:
        """``1e-05 to 0.01 (log)`` or ``one of a, b``."""
        if self.choices:
            return f"one of {', '.join(map(str, self.choices))}"
        step = f" in steps of {self.step}" if self.step not in (None, 1) else ""
        return f"{self.low} to {self.high}{step}{' (log)' if self.log else ''}"


@dataclass(frozen=True)
class SweepResults:
    """A sweep as its files tell it, in whatever state it is."""

    folder: Path
    about: dict[str, Any]
    """``sweep.yaml``: the sweep as run."""
    state: str
    """running; finished; interrupted: it can go on."""
    trials: pd.DataFrame
    """A row a trial, best first: ``trial`` (the name), ``number``, ``state``, ``origin``, ``epochs``, ``score`` (the
    best of the sweep's metric), ``best_epoch``, ``seconds`` (in epochs), ``started`` and ``ended`` (times), ``reason``,
    and a column a parameter by its key; a key that a trial does not have is nan."""
    reports: pd.DataFrame
    """A row a trial and epoch, in the order of coming: ``trial``, ``epoch``, ``value`` (the sweep's metric; nan if it
    was none), ``decision``, ``time``, and a column a metric."""
    params: dict[str, dict[str, Any]]
    """Each trial's sampled values."""
    ranges: dict[str, dict[str, Range]] = field(default_factory=dict[str, dict[str, Range]])
    """What was searched of each key on each trial's own way through the space; older sweeps do not say it."""
    identity: dict[str, str] = field(default_factory=dict[str, str])
    """What makes its sessions parts of one sweep (``sweeps.identity``): space, rungs, fixed overrides, data, files of
    code, by name."""

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def metric(self) -> str:
        return str(self.about["metric"])

    @property
    def parameters(self) -> list[str]:
        """The keys that were searched; of a conditional space not every trial has all."""
        return list(dict.fromkeys(key for params in self.params.values() for key in params))

    @property
    def micro_batches(self) -> dict[str, int]:
        """Images at once of the trials whose memory ran out, so that they were fewer than ``data.batch_size``."""
        if "micro_batch" not in self.reports:
            return {}
        halved: Any = self.reports.dropna(subset="micro_batch")
        return {trial: int(size) for trial, size in halved.groupby("trial")["micro_batch"].min().items()}

    @property
    def rungs(self) -> list[int]:
        """Epochs at which trials were compared, and the end."""
        return [*self.about["scheduler"]["rungs"], self.about["scheduler"]["max_epochs"]]

    @property
    def searched(self) -> dict[str, str]:
        """What was to be searched of each key, in words; of a conditional space on all ways that its corners take."""
        ways = [{key: str(Range.of(found)) for key, found in way.items()} for way in self.about["space"]]
        keys = dict.fromkeys(key for way in ways for key in way)
        return {key: " or ".join(dict.fromkeys(way[key] for way in ways if key in way)) for key in keys}

    def ranges_of(self, key: str) -> list[Range]:
        """What was searched of a key, where that differs between trials."""
        return list(dict.fromkeys(ranges[key] for ranges in self.ranges.values() if key in ranges))

    @property
    def default(self) -> str:
        """Trial 0, the default configuration; empty if there is no trial."""
        return next(
            (name for name, number in zip(self.trials["trial"], self.trials["number"], strict=True) if number == 0), ""
        )

    @property
    def begun(self) -> str:
        """When its first trial was, UTC: a sweep that was started anew under the same name is another one."""
        times = zip(self.trials["number"], self.trials["started"], strict=True)
        return next((str(time) for number, time in times if number == 0), "")  # not the earliest: clocks are set back

    def find_verdict(self) -> Path | None:
        """The folder of the retraining that has come to a verdict on this sweep: the one of its name, or the newest.

        A sweep that was moved aside keeps its own.
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
        return self.trials.query("state != 'failed'").dropna(subset="score")


def read_verdict(folder: Path) -> dict[str, Any]:
    """What ``retrain-best`` has kept in a folder (``analysis.retrain``); empty if that cannot be read."""
    try:
        return cast(dict[str, Any], json.loads((folder / "verdict.json").read_text()))
    except ValueError:
        return {}


def sweeps_dir(output_root: Path | None = None) -> Path:
    """Where sweeps lie: ``{output_root}/sweeps``."""
    return (output_root or load_config().output_root) / "sweeps"


def load_sweep(name: str, output_root: Path | None = None) -> SweepResults:
    """The sweep of that name, in whatever state it is. A name that is not there is a ``UserError``."""
    root = sweeps_dir(output_root)
    folder = root / name
    if not (folder / "sweep.yaml").is_file():
        there = [path.parent.name for path in root.glob("*/sweep.yaml")]
        raise unknown(f"sweep in {in_full(root)}", name, there) if there else no_sweep(root)
    return read_folder(folder)


def no_sweep(root: Path) -> UserError:
    """The sentence for a folder of sweeps that holds none."""
    return UserError(
        f"No sweep in {in_full(root)}. Run one first (python -m sweeps.run --list says which there are), or say where "
        "they lie: go to the repository's root, or say --output-root FOLDER."
    )


def read_folder(folder: Path) -> SweepResults:
    """The sweep in a folder. One without a ledger that can be read is a ``UserError``."""
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
    if state != "running":  # a killed session could not say it of its trials
        trials["state"] = trials["state"].replace("running", "waiting")
    return SweepResults(folder, about, state, trials, reports, params, ranges, identity)


def read_reports(ledger: Ledger) -> pd.DataFrame:
    """``SweepResults.reports``."""
    query = "SELECT report.trial, epoch, value, decision, time FROM report JOIN event USING (seq) ORDER BY seq"
    columns = ["trial", "epoch", "value", "decision", "time"]
    reports = pd.DataFrame(ledger.database.execute(query).fetchall(), columns=columns).astype({"value": float})
    reports["time"] = pd.to_datetime(reports["time"], utc=True)
    if reports.empty:
        return reports
    query = "SELECT group_concat(metrics, char(10)) FROM (SELECT metrics FROM report ORDER BY seq)"
    (lines,) = ledger.database.execute(query).fetchone()
    for word in ("NaN", "-Infinity", "Infinity"):  # Python's JSON has them, the standard's has not
        lines = lines.replace(word, "null")
    options = pyarrow.json.ReadOptions(block_size=BLOCK_BYTES)
    metrics = pyarrow.json.read_json(pa.BufferReader(lines.encode()), read_options=options).to_pandas()
    return pd.concat([reports, metrics], axis=1)


def read_trials(ledger: Ledger, reports: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
    """``SweepResults.trials``, and each trial's parameters."""
    rows, times = ledger.trials(), ledger.times()
    best_epochs, seconds = of_trials(reports)
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
        trials[name] = pd.to_datetime(trials[name], utc=True)
    return trials, params


def read_ranges(ledger: Ledger) -> dict[str, dict[str, Range]]:
    """``SweepResults.ranges``."""
    started = ledger.database.execute("SELECT trial, detail FROM event WHERE kind = 'start' ORDER BY seq")
    spaces = {trial: json.loads(detail).get("space", {}) for trial, detail in started}
    return {trial: {key: Range.of(found) for key, found in space.items()} for trial, space in spaces.items()}


def of_trials(reports: pd.DataFrame) -> tuple[dict[str, int], dict[str, float]]:
    """Each trial's best epoch, the first of equal ones, and its seconds in epochs."""
    if "epoch_seconds" not in reports:
        return {}, {}
    table: Any = reports
    sound = table.dropna(subset="value")
    best = sound.loc[sound.groupby("trial", sort=False)["value"].idxmax()]
    seconds = table.groupby("trial", sort=False)["epoch_seconds"].sum()
    return dict(zip(best["trial"], best["epoch"], strict=True)), seconds.to_dict()
