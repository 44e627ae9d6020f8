"""The adapters to Ray's search; whole sweeps are in test_stages.py."""

from types import SimpleNamespace
from typing import cast

import optuna
from ray.tune.experiment import Trial

from sweeps.plan import make_plan
from sweeps.search import build_asha, build_searcher, trial_name
from sweeps.spec import Asha, load_spec


def test_the_first_proposal_is_the_default_configuration():
    plan = make_plan("quickstart", load_spec("quickstart"), seed=0, gpus=0)
    searcher = build_searcher(plan)
    assert searcher.suggest("first") == plan.first
    assert searcher.suggest("second") != plan.first


def test_the_seed_decides_the_proposals():
    def proposals(seed: int) -> list[object]:
        searcher = build_searcher(make_plan("quickstart", load_spec("quickstart"), seed=seed, gpus=0))
        return [searcher.suggest(str(number)) for number in range(4)]

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    assert proposals(1) == proposals(1) != proposals(2)


def test_ray_gets_the_rungs_of_the_spec():
    asha = Asha(grace_period=4, reduction_factor=3, max_epochs=72)
    scheduler = build_asha(asha)
    (bracket,) = scheduler._brackets
    # Ray counts a rung that is the end itself; nothing can be stopped there
    assert sorted(rung for rung, _ in bracket._rungs if rung < asha.max_epochs) == asha.rungs == [4, 12, 36]
    assert scheduler._max_t == 72


def test_a_trials_name_is_its_number_and_a_hash_of_its_parameters():
    def named(tag: str, **config: float) -> str:
        return trial_name(cast(Trial, cast(object, SimpleNamespace(experiment_tag=tag, config=config))))

    first = named("1_lr=0.1", lr=0.1)
    assert first.startswith("t0000-")
    assert named("13_lr=0.1", lr=0.1) == first.replace("t0000", "t0012")
    assert named("1_lr=0.2", lr=0.2) != first
