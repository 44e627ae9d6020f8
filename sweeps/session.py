"""A session on a sweep's folder: the first, or one that goes on with what others left.

What a sweep is (its space, rungs, fixed overrides, code, data) is kept in its ledger; a session that would search
something else under the same name is refused.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from src.errors import UserError
from src.folders import move_aside
from src.provenance import PACKAGES, provenance
from sweeps.identity import differences
from sweeps.leaderboard import TrialRow
from sweeps.ledger import NAME, Ledger
from sweeps.plan import SweepPlan
from sweeps.sampler import Sampler
from sweeps.study import Study
from sweeps.warm_start import Warmth

COMPARED_BY = ("metric", "rungs")
"""What a sweep's trials were compared by: with another, what was decided before would be wrong."""


def refuse_changes(ledger: Ledger, now: Mapping[str, str], accept: bool) -> None:
    """A sweep that is no longer the same is a ``UserError`` with the differences, unless they are accepted.

    Another metric and other rungs cannot be accepted.
    """
    before = ledger.get("identity")
    never = [name for name in COMPARED_BY if before[name] != now[name]]
    lines = "\n".join(differences(before, now))
    if accept and lines and not never:
        print(f"Accepted, though trials before and after it cannot be compared:\n{lines}")
    if not lines or (accept and not never):
        return
    way = "" if never else "say --accept-changes to go on all the same, or "
    raise UserError(
        f"{ledger.path.parent} was begun with other settings, code or data, so its trials could not be compared:\n"
        f"{lines}\nUndo that, or {way}--fresh to start anew."
    )


def begin(plan: SweepPlan, warm: Warmth | None = None) -> Ledger:
    """Make a new sweep's folder, and the ledger in it; a sweep that is there is moved aside."""
    folder, spec = plan.folder, plan.spec
    if (folder / "sweep.yaml").exists():
        print(f"The sweep that was there is now {move_aside(folder)}.")
    folder.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(folder / NAME)
    warm = warm or Warmth()
    with ledger.transaction():
        ledger.put("warm_rows", [{"params": row.params, "values": row.values, "state": row.state} for row in warm.rows])
        ledger.put("warm_points", warm.points)
        ledger.put("rules", {"asha": asdict(spec.asha), "form": spec.form, "metric": spec.metric})
    return ledger


def open_study(plan: SweepPlan, ledger: Ledger, command: Mapping[str, Any], now: Mapping[str, str]) -> Study:
    """The search as the ledger left it, with a session more: asked for by ``command``, of what ``identity`` says now.

    Only when all that the ledger holds was replayed is it written how this session differs from the one before.
    """
    before = [
        TrialRow("", kept["params"], state=kept["state"], values={int(k): v for k, v in kept["values"].items()})
        for kept in ledger.get("warm_rows")
    ]
    given = [*plan.given, *ledger.get("warm_points")]
    sampler = Sampler(plan.spec.space, plan.seed, plan.first, given, before)
    study = Study(sampler, plan.spec.asha, plan.spec.budget, plan.spec.metric, plan.spec.form, ledger)
    study.replay(ledger.entries())
    about, then = provenance(), ledger.get("identity") or now
    changes = {name: [then.get(name, ""), now.get(name, "")] for name in {**then, **now}}
    changes = {name: pair for name, pair in changes.items() if pair[0] != pair[1]}  # those that the user has accepted
    with ledger.transaction():
        ledger.put("command", dict(command))
        ledger.put("trials", plan.spec.budget.trials)
        ledger.put("identity", dict(now))
        study.begin_session(commit=about["commit"], packages=about["packages"], changes=changes)
    return study


def changed_packages(ledger: Ledger) -> list[str]:
    """Packages whose version is not that of the session before, as texts."""
    sessions = [entry.detail for entry in ledger.entries() if entry.kind == "session"]
    before = sessions[-1]["packages"] if sessions else {}
    now = provenance()["packages"]
    return [
        f"{name} {before[name]} -> {now[name]}" for name in PACKAGES if name in before and before[name] != now[name]
    ]
