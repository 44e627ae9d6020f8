"""The search as Ray sees it: Optuna's proposals, ASHA's stops, trials on shares of one machine.

Everything that knows Ray's search interface is here.
"""

import hashlib
import json
import logging
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

# read when ray is imported: no usage report, no noise about checkpoints, Ctrl-C is ours, trials stay in our folder
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S", "0")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # the trial writes its own events and JSON lines
os.environ.setdefault("TUNE_PRINT_ALL_TRIAL_ERRORS", "0")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")  # data.root and output_root are relative to where the user is
os.environ.setdefault("RAY_worker_niceness", "0")  # at Ray's own 15 any other work on the machine starves the trials
os.environ.setdefault("RAY_memory_monitor_refresh_ms", "0")  # it ends the whole sweep when it kills one trial

import optuna
import ray
from ray import tune
from ray.tune import FailureConfig, RunConfig, TuneConfig, Tuner
from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

from sweeps.plan import SweepPlan
from sweeps.space import as_function
from sweeps.spec import Asha
from trainable.resources import Resources
from trainable.trial import CrackTrial, TrialPlan

OBJECT_STORE_BYTES = 100 * 2**20  # trials share images through mapped files, not through Ray


@contextmanager
def local_ray(resources: Resources) -> Generator[None]:
    """A Ray of our own on this machine, without dashboard; its login token is readable by this user only."""
    token = Path.home() / ".ray" / "auth_token"
    token.parent.mkdir(mode=0o700, exist_ok=True)
    token.parent.chmod(0o700)  # before Ray writes the token there; a umask would be inherited by the trials' files
    ray.init(
        address="local",
        num_cpus=resources.cores_per_trial * resources.trials_at_once,
        num_gpus=round(resources.gpus_per_trial * resources.trials_at_once),
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        object_store_memory=OBJECT_STORE_BYTES,
    )
    try:
        if token.is_file():  # the user may have named another place for it
            token.chmod(0o600)
        yield
    finally:
        ray.shutdown()


def build_tuner(
    plan: SweepPlan, trial_plan: TrialPlan, callbacks: Sequence[tune.Callback], reuse_actors: bool = True
) -> Tuner:
    """Ray's OptunaSearch and ASHAScheduler over ``CrackTrial``; trial 0 is the plan's first point.

    Not more trials are asked for than run at once: a proposal made early knows less. ``reuse_actors``: a trial's
    process takes the next trial, which saves its seconds of imports.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    spec, resources = plan.spec, plan.resources
    return Tuner(
        tune.with_resources(tune.with_parameters(CrackTrial, plan=trial_plan), resources.as_ray()),
        tune_config=TuneConfig(
            metric=spec.metric,
            mode="max",
            num_samples=spec.budget.trials,
            max_concurrent_trials=resources.trials_at_once,
            search_alg=build_searcher(plan),
            scheduler=build_asha(spec.asha),
            reuse_actors=reuse_actors,
            time_budget_s=spec.budget.hours * 3600 if spec.budget.hours else None,
            trial_name_creator=trial_name,
            trial_dirname_creator=trial_name,
        ),
        run_config=RunConfig(
            name="ray",
            storage_path=str(trial_plan.sweep_dir),
            verbose=0,
            callbacks=list(callbacks),
            failure_config=FailureConfig(max_failures=0),
        ),
    )


def build_searcher(plan: SweepPlan) -> OptunaSearch:
    """Optuna's TPE, which gets every trial's last value, that of a stopped trial too."""
    space, metric = as_function(plan.spec.space), plan.spec.metric
    return OptunaSearch(space, metric=metric, mode="max", points_to_evaluate=[plan.first], seed=plan.seed)


def build_asha(asha: Asha) -> ASHAScheduler:
    """Ray's ASHA, which stops trials at a rung and does not come back to them."""
    return ASHAScheduler(
        time_attr="training_iteration",
        max_t=asha.max_epochs,
        grace_period=asha.grace_period,
        reduction_factor=asha.reduction_factor,
    )


def trial_name(trial: Trial) -> str:
    """``t0042-1a2b3c``: the trial's number and a hash of its parameters; a folder name that every tool can take."""
    number = int(trial.experiment_tag.partition("_")[0]) - 1  # Ray counts them in the tag, from 1
    digest = hashlib.sha256(json.dumps(trial.config, sort_keys=True).encode()).hexdigest()
    return f"t{number:04d}-{digest[:6]}"
