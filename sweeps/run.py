"""Run a sweep by name: ``python -m sweeps.run swin_unet_lr data.root=data/cfd``."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from src.cards import Card
from src.errors import UserError, leave, outlive_reader, run_command, unknown
from src.folders import in_full, user_path
from src.imports import quick_imports
from sweeps.ledger import LEDGER_FILE, Ledger, is_finished
from sweeps.ray_requirements import require_ray_environment
from sweeps.request import FOLDER_NAME, SweepRequest, parse
from sweeps.search.trial import TrialState
from sweeps.spec import SweepSpec, is_path, list_specs, load_spec, spec_path
from sweeps.writer import locked, refuse_second_writer
from trainable.resources import Resources, share_machine

if TYPE_CHECKING:
    from sweeps.plan import SweepPlan
    from sweeps.search.state import SearchState


def main(argv: list[str]) -> int:
    request = parse(argv)
    if request.list:
        width = max(len(name) for name in list_specs())
        for name, question in list_specs().items():
            print(f"{name:{width}}  {question}")
        return 0
    request = with_known_spec(request)
    spec, name = load_spec(request.spec), name_of(request)
    folder = sweep_folder(spec, request.overrides, name)
    if request.check:
        return print_check(folder)
    if request.continues:
        require_existing_sweep(folder)
    if request.dry_run:
        return plan_only(spec, name, folder, request)
    if request.continues:
        with locked(folder):
            return resume(spec, name, folder, request)
    return start(spec, name, folder, request)


def with_known_spec(request: SweepRequest) -> SweepRequest:
    """The request with the whole path of a spec that is a file; one that does not exist is a ``UserError``."""
    if not request.spec:
        raise UserError(f"Which spec? Legal: {', '.join(list_specs())}; --list shows the question of each one.")
    if is_path(request.spec):
        return replace(request, spec=str(spec_path(request.spec)))
    if request.spec not in list_specs():
        refuse_name_of_a_sweep(request)
    return request


def name_of(request: SweepRequest) -> str:
    """The sweep's name, which is also the name of its folder."""
    name = request.name or user_path(request.spec).stem
    if not FOLDER_NAME.fullmatch(name):
        raise UserError(f"'{name}' cannot be a folder's name: use --name with letters, digits, '_', '-' and '.'.")
    return name


def print_check(folder: Path) -> int:
    from sweeps.audit import findings

    lines, code = findings(folder)
    print("\n".join(lines))
    return code


def plan_only(spec: SweepSpec, name: str, folder: Path, request: SweepRequest) -> int:
    """Print what a new or extended sweep would cost. Nothing is written to its folder."""
    if request.continues:
        request = completed(request, folder)
    spec = checked(request.applied_to(spec))

    from sweeps.dry_run import dry_run, state_of
    from sweeps.machines import cards_for, division_before, join_cluster
    from sweeps.preflight import prepare

    def planned(spec: SweepSpec, resources: Resources) -> "SweepPlan":
        return prepare(name, spec, request.seed or 0, resources, request.accept_data_warnings or request.continues)

    def state_before(plan: "SweepPlan") -> "SearchState | None":
        return state_of(plan, request.spec, request.accept_changes) if request.continues else None

    if request.address is not None:
        with locked(folder), join_cluster(request.address, spec, division_before(folder)) as cluster:
            plan = planned(spec, cluster.resources)
            return dry_run(plan, state=state_before(plan), cluster=cluster)
    cards = cards_for(spec, request.gpu_memory)
    known = request.continues or request.gpu_memory is not None  # by the first session; a card that is not here
    spec, rates = (spec, {}) if known else with_trials_at_once(spec, cards)
    plan = replace(planned(spec, share_machine(spec.budget.number_at_once, cards)), packing=rates)
    return dry_run(plan, measure=request.gpu_memory is None, state=state_before(plan))


def start(spec: SweepSpec, name: str, folder: Path, request: SweepRequest) -> int:
    """Start a new sweep. Nothing is written to its folder before all checks that need no training have passed."""
    outlive_reader()
    refuse_second_writer(folder)
    refuse_existing_sweep(folder, request.fresh)
    other = other_sweep(folder, request.warm_start) if request.warm_start else None
    spec = checked(request.applied_to(spec))

    from sweeps.machines import cards_for, ray_for

    rates: dict[int, float] = {}
    if request.address is None:
        spec, rates = with_trials_at_once(spec, cards_for(spec))
    request = replace(request, trials_at_once=spec.budget.number_at_once)
    with ray_for(spec, request.address) as ray:
        with quick_imports():
            from sweeps import sweep
            from sweeps.preflight import prepare

        plan = prepare(name, spec, request.seed or 0, ray.resources, request.accept_data_warnings)
        plan = replace(plan, packing=rates, address=request.address, on_end=request.on_end)
        with locked(folder):
            refuse_existing_sweep(folder, request.fresh)
            return sweep.start(plan, request.spec, request.saved(), other, ray)


def resume(spec: SweepSpec, name: str, folder: Path, request: SweepRequest) -> int:
    """Continue a sweep in a new session."""
    outlive_reader()
    request = completed(request, folder)
    spec = checked(request.applied_to(spec))

    from sweeps.machines import division_before, ray_for

    with ray_for(spec, request.address, division_before(folder)) as ray:
        with quick_imports():
            from sweeps import sweep
            from sweeps.preflight import prepare

        # the data was accepted when the sweep was started
        plan = prepare(name, spec, request.seed or 0, ray.resources, accept_data=True)
        plan = replace(plan, address=request.address, on_end=request.on_end)
        return sweep.resume(plan, request.spec, request.saved(), request.accept_changes, ray)


def with_trials_at_once(spec: SweepSpec, cards: Sequence[Card]) -> tuple[SweepSpec, dict[int, float]]:
    """The spec with a number in place of ``trials_at_once: auto``, and what was measured for it."""
    if spec.budget.trials_at_once != "auto":
        return spec, {}
    from sweeps.packing import choose_trials_at_once

    return choose_trials_at_once(spec, cards)


def checked(spec: SweepSpec) -> SweepSpec:
    """Check the spec's values, space and files before torch and Ray are imported, which takes seconds."""
    from src.config.compose import load_config
    from src.config.schema import SPLITS
    from src.data.pairs import find_pairs
    from sweeps.data_root import lacks_data
    from sweeps.default_point import default_point, expected_near

    require_ray_environment()
    default_point(spec.space, spec.fixed)
    expected_near(spec, ())
    if not (spec.synthetic_without_data and lacks_data(spec)):
        for split in SPLITS:
            find_pairs(load_config(spec.fixed).data.root, split)
    return spec


def other_sweep(folder: Path, word: str) -> Path:
    """The folder of the sweep for ``--warm-start``: a name next to this sweep's folder, or a path."""
    other = user_path(word) if "/" in word else folder.with_name(word)
    if not (other / LEDGER_FILE).is_file():
        sweeps = sorted(path.parent.name for path in folder.parent.glob(f"*/{LEDGER_FILE}"))
        raise (
            unknown("sweep to start from", word, sweeps)
            if sweeps
            else UserError(f"--warm-start={word}: there is no sweep in {in_full(folder.parent)}.")
        )
    return other


def refuse_name_of_a_sweep(request: SweepRequest) -> None:
    """If the user gave the name of a sweep's folder instead of a spec, raise a ``UserError`` with the right command."""
    folder = sweep_folder(None, request.overrides, request.spec)
    if FOLDER_NAME.fullmatch(request.spec) and (folder / LEDGER_FILE).is_file():
        ledger = Ledger(folder / LEDGER_FILE, read_only=True)
        spec = ledger.get("command")["spec"]
        ledger.close()
        asked = [
            f"--{name.replace('_', '-')}" for name in ("check", "resume", "fresh", "dry_run") if getattr(request, name)
        ]
        words = ["python", "-m", "sweeps.run", spec, *request.overrides, "--name", request.spec, *asked]
        raise UserError(f"'{request.spec}' is the name of a sweep, not of a spec. Use: {shlex.join(words)}")


def refuse_existing_sweep(folder: Path, fresh: bool) -> None:
    """Raise a ``UserError`` with the possible options if the folder already holds a sweep."""
    if fresh or not (folder / "sweep.yaml").exists():
        return
    if not (folder / LEDGER_FILE).is_file():
        raise UserError(f"{folder} is a sweep without a ledger: use --name OTHER, or --fresh to move it aside.")
    ledger = Ledger(folder / LEDGER_FILE, read_only=True)
    more = "--extend 10 adds ten trials" if is_finished(ledger) else "--resume continues it"
    ledger.close()
    raise UserError(f"{folder} exists: {more}, --fresh moves it aside and starts over, --name OTHER keeps both.")


def require_existing_sweep(folder: Path) -> None:
    """Raise a ``UserError`` if the folder has no sweep to continue."""
    if not (folder / "sweep.yaml").is_file():  # the last file that is written before the first trial
        raise UserError(
            f"There is no sweep to continue in {in_full(folder)}. Was it started with --name or output_root=? To start "
            "a new one, leave out --resume and --extend."
        )


def completed(request: SweepRequest, folder: Path) -> SweepRequest:
    """The request, completed with the options that the sweep was started with."""
    ledger = Ledger(folder / LEDGER_FILE, read_only=True)
    before, planned = ledger.get("command"), ledger.get("trials")
    finished = is_finished(ledger)
    started = sum(trial["state"] != TrialState.SKIPPED for trial in ledger.trials())
    ledger.close()
    if before["spec"] != request.spec:
        raise UserError(f"{folder} is a sweep of {before['spec']}, not of {request.spec}.")
    if finished and request.extend is None and request.trials is None:
        raise UserError(f"{folder} is finished: --extend N continues it with N more trials.")
    if request.trials is None:
        return request.completed(before, planned + (request.extend or 0))
    if request.trials < started or (finished and request.trials == started):
        least = "more" if finished else "at least as many"
        raise UserError(
            f"--trials={request.trials}: {folder} has started {started} trials already; --trials is the total number, "
            f"so it must be {least}."
        )
    return request.completed(before, request.trials)


def sweep_folder(spec: SweepSpec | None, overrides: tuple[str, ...], name: str) -> Path:
    """The folder of a sweep of that name."""
    from src.config.compose import load_config
    from src.config.overrides import Overrides

    fixed = Overrides.parse(spec.fixed if spec else ())
    return load_config(fixed.plus(Overrides.parse(overrides).at("output_root"))).output_root / "sweeps" / name


if __name__ == "__main__":
    leave(run_command(main))
