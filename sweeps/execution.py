"""A study's trials from the first process to the last, under Ray: shown, bounded in disk and hours, interruptible."""

import os

from ray.tune import TuneError
from rich.console import Console

from sweeps.checkpoint_quota import DiskBudget
from sweeps.live import LiveView
from sweeps.neighbours import announced
from sweeps.plan import SweepPlan
from sweeps.ray_executor import Halt, Signals, build_tuner, local_ray
from sweeps.study import Study
from trainable.trial import TrialPlan


def run_trials(plan: SweepPlan, study: Study, console: Console) -> int | None:
    """Run all trials that are left; returns the signal that ended it before they were done, if one did."""
    if study.finished:
        return None
    console.print(plan.place)
    os.environ["HF_HUB_OFFLINE"] = "1"  # the rehearsal has fetched what there is; trials never download side by side
    view, resources, budget = LiveView(study, plan.folder, console), plan.resources, plan.spec.budget
    trial_plan = TrialPlan(
        plan.folder.resolve(),
        plan.fixed,
        plan.spec.metric,
        plan.searched,
        rungs=tuple(plan.spec.asha.rungs),
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
                halt = Halt(study, signals, budget.hours)
                build_tuner(study, resources, trial_plan, halt, [DiskBudget(study, plan.folder), view]).fit()
            except KeyboardInterrupt:  # a second signal: no more patience
                pass
            except TuneError as error:  # Ray keeps only the text of what our rules raised
                raise (study.ledger and study.ledger.failure) or error from None
    return signals.received
