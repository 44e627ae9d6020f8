"""Runs a study's trials under Ray, with live view, checkpoint quota and signal handling."""

import os

from ray.tune import TuneError
from rich.console import Console

from sweeps.checkpoint_quota import CheckpointQuota
from sweeps.interrupts import Signals
from sweeps.live import LiveView
from sweeps.neighbours import announced
from sweeps.plan import SweepPlan
from sweeps.ray_executor import SessionStopper, build_tuner, local_ray
from sweeps.search.study import Study
from trainable.trial import TrialPlan


def run_trials(plan: SweepPlan, study: Study, console: Console) -> int | None:
    """Run the remaining trials. Returns the signal that interrupted them, if there was one."""
    if study.at_rest:
        return None
    console.print(plan.resources_in_words)
    os.environ["HF_HUB_OFFLINE"] = "1"  # the smoke test has downloaded all weights; trials must not download at once
    view, resources, budget = LiveView(study, plan.folder, console), plan.resources, plan.spec.budget
    trial_plan = TrialPlan(
        plan.folder.resolve(),
        plan.fixed,
        plan.spec.metric,
        plan.example_values,
        rungs=tuple(plan.spec.scheduler.rungs),
        trials_at_once=resources.trials_at_once,
        trials_per_card=resources.trials_per_card,
        card_free_mib=resources.card_free_mib,
        memory_limit_mib=resources.memory_limit_mib,
        hang_seconds=budget.hang_minutes * 60,
    )
    with announced(plan.name, resources) as others, Signals() as signals:
        for line in others:
            console.print(line)
        with local_ray(resources), view:
            signals.listen()
            try:
                stopper = SessionStopper(study, signals, budget.hours)
                callbacks = [CheckpointQuota(study, plan.folder), view]
                build_tuner(study, resources, trial_plan, stopper, callbacks).fit()
            except KeyboardInterrupt:  # a second signal
                pass
            except TuneError as error:  # Ray keeps only the text of what the study raised
                raise study.log.failure or error from None
    return signals.received
