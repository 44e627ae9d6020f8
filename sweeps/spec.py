"""What a sweep is: fixed overrides, a search space, ASHA's rungs and a budget."""

import ast
import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal, cast

from optuna import Trial
from optuna.distributions import BaseDistribution

from src.errors import UserError, unknown
from src.folders import refuse_irregular, user_path
from src.rankable import RANKABLE

SPECS_DIR = Path(__file__).with_name("specs")

MOST_AT_ONCE = 64
"""Trials: each is a process of some hundred MiB."""

Space = Mapping[str, BaseDistribution] | Callable[[Trial], None]


@dataclass(frozen=True, kw_only=True)
class Asha:
    """Asynchronous successive halving (Li et al. 2020, arXiv 1810.05934); in its symbols r, eta and R."""

    grace_period: int
    """Epochs before the first decision (r): past the warm-up, and at least 6 % of ``max_epochs``."""
    reduction_factor: int
    """Of so many trials at a rung one goes on (eta), and so many times further is the next rung."""
    max_epochs: int
    """Epochs of a trial that is never stopped (R): its ``training.epochs``, so the learning rate's horizon."""

    def __post_init__(self) -> None:
        if not 1 <= self.grace_period <= self.max_epochs:
            raise UserError(f"grace_period={self.grace_period}: must be from 1 to max_epochs={self.max_epochs}.")
        if self.reduction_factor < 2:
            raise UserError(f"reduction_factor={self.reduction_factor}: must be at least 2.")

    @property
    def rungs(self) -> list[int]:
        """Epochs at which trials are compared: grace_period times powers of reduction_factor, below max_epochs."""
        rungs, epoch = [], self.grace_period
        while epoch < self.max_epochs:
            rungs.append(epoch)
            epoch *= self.reduction_factor
        return rungs

    def to_next_rung(self, epoch: int) -> int:
        """Epochs from a trial's ``epoch`` to its next decision, or to its end."""
        return next((rung - epoch for rung in [*self.rungs, self.max_epochs] if rung > epoch), 0)

    def scaled(self, max_epochs: int) -> "Asha":
        """The same shape over another number of epochs: the grace period keeps its share, rounded up.

        Of few epochs that is too early to tell anything, which ``sweeps.early_rungs`` says.
        """
        grace = -(-self.grace_period * max_epochs // self.max_epochs)
        return Asha(grace_period=max(1, grace), reduction_factor=self.reduction_factor, max_epochs=max_epochs)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a sweep may spend on this machine."""

    trials: int
    trials_at_once: int | None = None
    """None: one a graphics card; without one, a trial a core, at most 4."""
    gpus: int | None = None
    """Graphics cards to use. None: all that torch can use here; without one the budget is the cores."""
    epochs: int | None = None
    """Of all trials together. None: as many as the trials need."""
    hours: float | None = None
    """Wall clock of a session. None: until all trials are done."""
    stop_when_converged: bool = False
    """Begin no more trials when the last ones have not been better (``sweeps.study`` says how many, and how much)."""
    hang_minutes: float = 30.0
    """A trial that makes no step in so long is ended, and tried once more."""
    checkpoints_gib: float = 20.0
    """Disk for networks; when it is full, the checkpoints of the worst trials are removed."""

    def __post_init__(self) -> None:
        for name in ("trials", "trials_at_once", "gpus", "epochs", "hours", "hang_minutes", "checkpoints_gib"):
            value = cast(float | None, getattr(self, name))
            if value is not None and not value > 0:  # so is no number
                raise UserError(f"{name}={value}: must be above 0.")
        if (self.trials_at_once or 1) > MOST_AT_ONCE:
            raise UserError(f"trials_at_once={self.trials_at_once}: must be at most {MOST_AT_ONCE}.")


@dataclass(frozen=True, kw_only=True)
class SweepSpec:
    """One search. The module's docstring holds its question."""

    fixed: tuple[str, ...] = ()
    """Overrides that all trials share."""
    space: Space
    """Override key to Optuna distribution, or a function that suggests on an Optuna trial (conditional spaces)."""
    asha: Asha
    budget: Budget
    metric: str = "val/iou_best"
    """What the search maximises. IoU at the best threshold: at 0.5, early epochs measure calibration, not quality."""
    points: tuple[Mapping[str, object], ...] = ()
    """Known-good points that are tried right after the default; keys that one leaves out are the default's."""
    form: Literal["promotion", "stopping"] = "promotion"
    """Whether a trial that is not among the best of its rung waits there, or ends for good (``sweeps.asha``)."""
    synthetic_without_data: bool = False
    """Where nobody names a ``data.root`` and the usual one is not there, make synthetic data and use that."""

    def __post_init__(self) -> None:
        if not (callable(self.space) or _is_space(self.space)):
            raise UserError(f"space={self.space}: must be keys with Optuna's distributions, or a function of a trial.")
        for name, kind in {"asha": Asha, "budget": Budget, "fixed": tuple, "points": tuple}.items():
            if not isinstance(getattr(self, name), kind):
                raise UserError(f"{name}={getattr(self, name)}: must be of the type {kind.__name__}.")
        if self.metric not in RANKABLE:
            raise unknown("metric of a sweep", self.metric, RANKABLE)
        if self.form not in ("promotion", "stopping"):
            raise unknown("form of ASHA", self.form, ("promotion", "stopping"))


def _is_space(space: object) -> bool:
    return isinstance(space, Mapping) and all(
        isinstance(key, str) and isinstance(found, BaseDistribution)
        for key, found in cast(Mapping[object, object], space).items()
    )


def list_specs() -> dict[str, str]:
    """Every spec's name and question (the first line of its docstring), without importing it."""
    paths = [path for path in sorted(SPECS_DIR.glob("*.py")) if path.stem != "__init__"]
    return {path.stem: _question(path).partition("\n")[0] for path in paths}


def _question(path: Path) -> str:
    try:
        return ast.get_docstring(ast.parse(path.read_text())) or ""
    except (SyntaxError, ValueError):  # to import it will say what is wrong
        return "(no Python)"


def spec_path(name: str) -> Path:
    """The file of a spec: of a name in ``sweeps/specs``, or where it is if ``name`` is a path that ends in ``.py``.

    An unknown name, or no such file, is a ``UserError``.
    """
    if not is_path(name):
        if name not in list_specs():
            raise unknown("sweep", name, list_specs())
        return SPECS_DIR / f"{name}.py"
    refuse_irregular(user_path(name))
    return user_path(name).resolve()


def is_path(name: str) -> bool:
    """Whether a spec is given by its file."""
    return name.endswith(".py")


def question(name: str) -> str:
    """What a spec asks, in the first line of its docstring."""
    return _question(spec_path(name)).partition("\n")[0]


def load_spec(name: str) -> SweepSpec:
    """The ``SPEC`` of a module in ``sweeps/specs``, or of a file. An impossible spec is a ``UserError``."""
    path = spec_path(name)
    shown = path if is_path(name) else f"sweeps/specs/{name}.py"
    try:
        module = _import_file(path) if is_path(name) else importlib.import_module(f"sweeps.specs.{name}")
    except UserError as error:
        raise UserError(f"{shown}: {error}") from error
    except (Exception, SystemExit) as error:  # of Python that a user wrote; Optuna's of a reversed range
        raise UserError(f"{shown}: {type(error).__name__}: {error}. --debug says where.") from error
    if not isinstance(spec := getattr(module, "SPEC", None), SweepSpec):
        raise UserError(f"{shown} must have a SPEC = SweepSpec(...); it is {spec!r}.")
    return spec


def _import_file(path: Path) -> ModuleType:
    """Run a Python file as a module that is no part of a package."""
    name = f"sweep_spec_{path.stem}"
    found = importlib.util.spec_from_file_location(name, path)
    assert found is not None
    assert found.loader is not None  # there is one for .py
    module = sys.modules[name] = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module
