"""Runs one session of a sweep: the last checks, the trials, the results, and a hint what to do next."""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from src.errors import EXIT_FAILED, EXIT_SIGNAL, EXIT_USER, UserError
from sweeps.busy import Busy, busy
from sweeps.default_point import expected_near
from sweeps.identity import identity
from sweeps.leaderboard import tables, write_csv
from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.on_end import command_at_end
from sweeps.places import Machines
from sweeps.plan import SweepPlan
from sweeps.preflight import check_corners, check_memory, console
from sweeps.ray_executor import Executor
from sweeps.run_trials import executor_for
from sweeps.search.sampler import Known, ModelSampler
from sweeps.search.space import few_corners
from sweeps.search.study import SessionEnd, Study
from sweeps.search.trial import Trial, ranked
from sweeps.session import Session, changed_packages, new_ledger, open_session, refuse_changes
from sweeps.spec import question
from sweeps.warm_start import WarmStart, warm_start
from trainable.overrides import trial_overrides

WARM_TRIALS, WARM_ELSEWHERE, WARM_POINTS = "warm_rows", "warm_elsewhere", "warm_points"
"""The ledger's keys for what a warm start uses from another sweep."""


def start(plan: SweepPlan, spec_name: str, command: Mapping[str, Any], other: Path | None, ray: Machines) -> int:
    """Start a new sweep; ``other`` is the folder of the sweep for a warm start. Returns the exit code."""
    print_warnings(plan)
    warm = warm_start(other, plan) if other else WarmStart()
    for line in warm.lines() if other else ():
        console.print(f"From {other}: {line}.")
    with executor_for(plan, ray) as executor:
        networks = check_corners(plan, few_corners(plan.spec.space), executor)
        check_memory(plan, networks)
        ledger = new_ledger(plan)
        session = open_search(plan, ledger, spec_name, identity(plan, spec_name), command, warm_start_to_json(warm))
        return run(session, spec_name, executor)


def resume(plan: SweepPlan, spec_name: str, command: Mapping[str, Any], accept_changes: bool, ray: Machines) -> int:
    """Continue a sweep in a new session. Returns the exit code."""
    print_warnings(plan)
    ledger = Ledger(plan.folder / LEDGER_FILE)
    now = identity(plan, spec_name)
    refuse_changes(ledger, now, accept_changes)
    new_limits = now.get("limits") != ledger.get("identity").get("limits")
    for change in changed_packages(ledger):
        console.print(f"The version has changed since the last session: {change}")
    check_memory(plan, [trial_overrides(plan.fixed, point) for point in few_corners(plan.spec.space)])
    with executor_for(plan, ray) as executor:
        if new_limits:
            executor.check([], trial_overrides(plan.fixed, plan.default_params))
        return run(open_search(plan, ledger, spec_name, now, command, recorded_warm_start(ledger)), spec_name, executor)


def print_warnings(plan: SweepPlan) -> None:
    for line in plan.warnings():
        console.print(f"warning: {line}")


def open_search(
    plan: SweepPlan,
    ledger: Ledger,
    spec_name: str,
    now: Mapping[str, str],
    command: Mapping[str, Any],
    warm: Mapping[str, Any],
) -> Session:
    """Open a new session of the search; its ledger keeps the command and the warm start."""
    keep = {"command": dict(command), "trials": plan.spec.budget.trials, **warm}
    sampler = build_sampler(plan, warm)
    return open_session(plan, ledger, sampler, now, keep, question(spec_name))


def run(session: Session, spec_name: str, executor: Executor) -> int:
    """Run the remaining trials, write the results, print the leaderboard. Returns the exit code."""
    plan = session.plan
    with command_at_end(plan.on_end, plan, session.study) as ending:
        received = session.run(console, executor)
        write_results(session)
        places = busy(session.ledger.records())
        session.ledger.close()
        ending.code = print_results(plan, session.study, received, resume_command(plan, spec_name), places)
    return ending.code


def warm_start_to_json(warm: WarmStart) -> dict[str, Any]:
    """Trials and points from another sweep, as the ledger keeps them."""
    trials, elsewhere = (
        [{"params": trial.params, "values": trial.values, "state": trial.state} for trial in those]
        for those in (warm.trials, warm.elsewhere)
    )
    return {WARM_TRIALS: trials, WARM_ELSEWHERE: elsewhere, WARM_POINTS: warm.points}


def recorded_warm_start(ledger: Ledger) -> dict[str, Any]:
    """What ``warm_start_to_json`` has given the ledger; one from before 2026-12 knows no trials elsewhere."""
    return {key: ledger.get(key) or [] for key in (WARM_TRIALS, WARM_ELSEWHERE, WARM_POINTS)}


def build_sampler(plan: SweepPlan, warm: Mapping[str, Any]) -> ModelSampler:
    """The plan's sampler, with the trials and points of a warm start."""
    before, elsewhere = (
        [
            Trial("", kept["params"], state=kept["state"], values={int(k): v for k, v in kept["values"].items()})
            for kept in warm[those]
        ]
        for those in (WARM_TRIALS, WARM_ELSEWHERE)
    )
    known = Known(
        default=plan.default_params,
        points=plan.known_points,
        suggested=warm[WARM_POINTS],
        trials=before,
        elsewhere=elsewhere,
        default_to_end=plan.spec.default_to_end,
        expected_near=expected_near(plan.spec, [plan.default_params, *plan.known_points]),
    )
    return ModelSampler(plan.spec.space, plan.seed, known, plan.spec.sampler)


def write_results(session: Session) -> None:
    """Write ``leaderboard.csv`` and ``study.db`` from the ledger."""
    from sweeps.export import export  # imports SQLAlchemy

    plan, trials = session.plan, session.study.trials.values()
    try:
        write_csv(trials, plan.spec.metric, plan.folder / "leaderboard.csv")
        export(session.study, session.ledger, plan.spec.space, plan.name, plan.folder / "study.db")
    except OSError as error:
        raise UserError(f"{error}: the ledger has all results, and the next session writes this file again.") from error


def print_results(plan: SweepPlan, study: Study, received: int | None, resume: str, places: Busy) -> int:
    """Print the leaderboard and what to do next; returns the exit code."""
    for table in tables(study.trials.values(), plan.spec.metric, console.width):
        console.print(table)
    console.print(f"All results: {plan.folder / 'leaderboard.csv'}, with one folder per trial next to it.")
    console.print(f"{str(places).capitalize()}.")
    for line in skipped_lines(study):
        console.print(line)
    if received is not None and not study.complete:
        console.print(f"Interrupted; every completed epoch is kept. Continue: {resume}")
        return EXIT_SIGNAL + received
    if study.session_over and not study.complete:
        console.print(how_to_continue(study, resume))
        if study.ended not in (None, SessionEnd.HOURS):
            return EXIT_USER
    best = next(iter(ranked(study.trials.values())), None)
    if best is None or best.score is None or best.is_infeasible:
        console.print("No trial has a score; the leaderboard gives the reasons.")
        return EXIT_FAILED
    for line in next_steps(plan, best):
        console.print(line)
    return 0


def skipped_lines(study: Study) -> Iterator[str]:
    """How many points were skipped, and whether that has ended the search."""
    if skipped := study.state.skipped:
        yield f"{skipped} points were skipped, because they break the limits of the spec; the leaderboard says which."
    if study.skips_too_many:
        yield (
            f"The search has ended with {study.state.tried} of {study.budget.trials} trials, because most of the space "
            "breaks the limits. Narrow the space or raise the limits, and start over with --fresh."
        )


def how_to_continue(study: Study, resume: str) -> str:
    """Why the session ended before the search, and the command that continues it."""
    more = "" if study.ended else f" --epochs {2 * study.state.epochs}"  # hours limit a session, epochs the sweep
    why = study.why_ended or "The budget of epochs is spent"
    again = " (for the same time)" if study.ended is SessionEnd.HOURS else ""
    return f"{why}; not all trials are done, and every completed epoch is kept. Continue{again}: {resume}{more}"


def next_steps(plan: SweepPlan, best: Trial) -> Iterator[str]:
    overrides = plan.folder / best.name / "overrides.yaml"
    yield f"Learning curves and predictions: tensorboard --logdir {shlex.quote(str(plan.folder))}"
    elsewhere = plan.fixed.get("output_root")
    command = shlex.join(["retrain-best", plan.name, *(["--output-root", elsewhere] if elsewhere else [])])
    yield f"Train the best trials again on fresh seeds and score them on the test split: {command}"
    yield f"Repeat the best trial: python run.py {shlex.quote(str(overrides))}"


def resume_command(plan: SweepPlan, spec_name: str) -> str:
    """The command that continues the sweep."""
    words = ["python", "-m", "sweeps.run", spec_name]
    words += plan.fixed.at("output_root")
    words += ["--name", plan.name] if plan.name != Path(spec_name).stem else []
    words += ["--address", plan.address] if plan.address else []
    words += ["--on-end", plan.on_end] if plan.on_end else []
    return shlex.join([*words, "--resume"])
