"""The Ray trainable: a process of a sweep that checks networks, or trains trials, one after the other.

It imports torch only in its own process, so that the program that runs a sweep does not wait for it.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ray import tune

from src.errors import UserError
from trainable.plan import TrialPlan

if TYPE_CHECKING:
    from trainable.trial import TrialProcess


class CrackTrial(tune.Trainable):
    """Trains one trial (``trainable.trial.TrialProcess``), and reports the metrics of every epoch.

    Its config is the trial's job. With ``corners`` in place of it, the process checks these corners of the space and
    reports what was ``refused``, if anything was; ``on_card``: for a graphics card; ``default``: the configuration that
    must keep the limits.
    """

    process: "TrialProcess | None" = None

    def setup(self, config: dict[str, Any], plan: TrialPlan | None = None) -> None:
        assert plan is not None  # Ray's base class has no second argument; tune.with_parameters passes it
        self.plan, self.job = plan, config
        if not plan.trials_per_card:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""  # a node may have cards that the sweep was not planned for
        if plan.import_at_once:
            import_module("trainable.preload")

    def step(self) -> dict[str, Any]:
        if "corners" in self.job:
            return {"refused": self._check()}
        if self.process is None:
            from trainable.trial import TrialProcess

            self.process = TrialProcess(self.plan)
            self.process.take(self.job)
        return self.process.step()

    def _check(self) -> str:
        from trainable.costs import check_default
        from trainable.smoke_test import run_smoke_test

        try:
            run_smoke_test(self.job["corners"], self.job["on_card"])
            if default := self.job.get("default"):
                assert self.plan.limits is not None
                check_default(default, self.plan.limits)
        except UserError as error:
            return str(error)
        return ""

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial in this process.

        It never returns False: Ray 2.60 would mark the trial as failed without notifying the searcher, which would wait
        for it for ever.
        """
        self.job = new_config
        if self.process is not None:
            self.process.take(new_config)
        return True

    def cleanup(self) -> None:
        if self.process is not None:
            self.process.release()
