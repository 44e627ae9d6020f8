"""The families of landscapes by name, each with the tasks for decisions and those for checking them."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from benchmarks.landscapes import fcnet, gradient_boosting, lcbench, made_cracks, taskset
from benchmarks.landscapes.cracks import Cracks
from benchmarks.landscapes.landscape import Landscape


class Family(NamedTuple):
    """Landscapes of one kind."""

    build: Callable[[str], Landscape]
    develop: Callable[[], Sequence[str]]
    """Tasks on which decisions are made."""
    check: Sequence[str] = ()
    """Tasks that are only looked at to check a decision."""
    noisy: bool = False
    """Whether ``build`` takes a ``noise``."""
    budget: int = 10
    """Of a search, in full trainings."""


def these(tasks: Sequence[str]) -> Callable[[], Sequence[str]]:
    return lambda: tasks


FAMILIES: dict[str, Family] = {
    "lcbench": Family(lcbench.LCBench, these(lcbench.DEVELOP), lcbench.CHECK, noisy=True, budget=20),
    "taskset": Family(taskset.TaskSet, taskset.tasks),
    "taskset_default": Family(partial(taskset.TaskSet, default=True), taskset.tasks),
    "made_cracks": Family(made_cracks.MadeCracks, these(made_cracks.DEVELOP), made_cracks.CHECK),
    "made_cracks_default": Family(
        partial(made_cracks.MadeCracks, default=True), these(made_cracks.DEVELOP), made_cracks.CHECK
    ),
    "fcnet": Family(fcnet.FCNet, these(fcnet.TASKS)),
    "xgboost": Family(
        gradient_boosting.GradientBoosting, these(gradient_boosting.DEVELOP), gradient_boosting.CHECK, noisy=True
    ),
    "cracks": Family(Cracks, these(("cfd",)), ("sut",)),
    "cracks_default": Family(partial(Cracks, default=True), these(("cfd",)), ("sut",)),
}
