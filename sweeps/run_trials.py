"""Runs a study's trials with live view, checkpoint quota and signal handling."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from importlib import import_module
from operator import attrgetter

from rich.console import Console

from src.imports import quick_imports
from sweeps.checkpoint_quota import CheckpointQuota
from sweeps.identity import MODELS
from sweeps.interrupts import Signals
from sweeps.ledger import Ledger
from sweeps.live import LiveView
from sweeps.live_study import LiveStudy
from sweeps.neighbours import announced
from sweeps.places import Machines
from sweeps.plan import SweepPlan
from sweeps.preflight import console
from sweeps.ray_executor import Executor
from sweeps.search.study import Study
from sweeps.search.trial import Trial
from trainable.plan import TrialPlan


def executor_for(plan: SweepPlan, ray: Machines) -> Executor:
    """The places in which the plan's trials run. The sweep's folder is locked: nodes of a cluster are checked first."""
    for note in ray.check(plan):
        console.print(note)
    resources, budget = plan.resources, plan.spec.budget
    folder = plan.folder.absolute() if resources.nodes else plan.folder.resolve()  # a link may lead elsewhere on a node
    trial_plan = TrialPlan(
        folder,
        plan.fixed,
        plan.spec.metric,
        plan.example_values,
        rungs=tuple(plan.spec.scheduler.rungs),
        trials_per_card=resources.trials_per_card,
        card_free_mib=resources.card_free_mib,
        memory_limit_mib=resources.memory_limit_mib,
        limits=plan.spec.limits,
        import_at_once=bool(resources.nodes),
        hang_seconds=budget.hang_minutes * 60,
    )
    return Executor(trial_plan, resources, ray)


def import_early(sampler: str) -> None:
    """Import what a sampler's proposals and the results need: up to two seconds, in which no place should wait."""
    with quick_imports():
        for name in ("sweeps.export", *(() if sampler in MODELS else ("torch", "scipy.optimize", "scipy.stats"))):
            import_module(name)


def run_trials(
    plan: SweepPlan,
    study: Study,
    console: Console,
    executor: Executor,
    label: Callable[[Trial], str] = attrgetter("name"),
) -> int | None:
    """Run the remaining trials; ``label``: what each is called. Returns the signal that interrupted them, if any."""
    if study.at_rest:
        return None
    resources = plan.resources
    console.print(plan.resources_in_words)
    neighbours = nullcontext([]) if resources.nodes else announced(plan.name, resources)
    with neighbours as others, Signals() as signals:
        for line in others:
            console.print(line)
        with LiveView(study, plan.folder, console, plan.forecast().epochs, resources.trials_at_once, label) as view:
            quota = CheckpointQuota(study, plan.folder)
            live = [LiveStudy(plan, study, study.log)] if isinstance(study.log, Ledger) and plan.spec.space else []
            try:
                executor.run(
                    study,
                    signals,
                    plan.spec.budget.hours,
                    [quota, view, *live],
                    meanwhile=partial(import_early, plan.spec.sampler_name),
                )
            except KeyboardInterrupt:  # a second signal
                pass
            except Exception as error:  # Ray may keep only the text of what the study raised
                raise study.log.failure or error from None
    return signals.received
