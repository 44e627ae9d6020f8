"""The spec of a sweep: fixed overrides, a search space, a scheduler, a sampler and a budget; and how it is loaded."""

import ast
import importlib
import importlib.util
import re
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import cast

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler

from src.errors import UserError, unknown
from src.folders import refuse_irregular, user_path
from src.rankable import RANKABLE
from sweeps.search.asha import Asha
from sweeps.search.budget import Budget
from sweeps.search.hyperband import Hyperband
from sweeps.search.no_stopping import NoStopping
from sweeps.search.optuna_model import MakeSampler
from sweeps.search.sampler import OWN_MODEL, SAMPLERS
from sweeps.search.scheduler import SchedulerSettings
from sweeps.search.space import Space
from trainable.limits import Limits

SPECS_DIR = Path(__file__).with_name("specs")

SCHEDULERS: dict[str, type[SchedulerSettings]] = {"asha": Asha, "hyperband": Hyperband, "no_stopping": NoStopping}
"""The schedulers that a spec can use, by their names in the ledger."""

PRIORS = ("default", "none")
"""Words for the prior of a spec."""

UNKNOWN_FIELD = re.compile(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'")
"""Of Python, for a dataclass."""

RENAMED = {
    "asha": "Use scheduler=Asha(...) instead of asha=.",
    "form": "Use Asha(..., variant=...) instead of form=.",
}
"""Fields of specs of an older version."""


@dataclass(frozen=True, kw_only=True)
class SweepSpec:
    """The description of one search. The docstring of the spec's module asks its question."""

    fixed: tuple[str, ...] = ()
    """Overrides that all trials share."""
    space: Space
    """Optuna distributions by override key; or, for a conditional space, a function that calls ``trial.suggest_*``."""
    scheduler: SchedulerSettings
    """Which trials are stopped early: ``Asha``, ``Hyperband`` or ``NoStopping``."""
    sampler: str | MakeSampler = OWN_MODEL
    """What proposes trials: a name in ``SAMPLERS``, or a function from a seed to an Optuna sampler."""
    default_to_end: bool = True
    """Whether the default, trial 0, is trained to the end whatever its values are: the baseline of all others."""
    budget: Budget
    limits: Limits | None = None
    """What a network may cost where it is used; a trial that breaks a limit is skipped before it is trained."""
    metric: str = "val/iou_best"
    """The metric to maximise. IoU at the best threshold: at 0.5, early epochs measure calibration, not quality."""
    prior: str | Mapping[str, object] = "default"
    """Where good points are expected at first, by the sampler ``gp``: near the ``default`` and the points, near these
    values of some keys, or nowhere (``none``)."""
    points: tuple[Mapping[str, object], ...] = ()
    """Known-good points that are tried right after the default. Missing keys get the default's values."""
    synthetic_without_data: bool = False
    """Make and use synthetic data if no data folder is named and the default one has no photographs."""

    def __post_init__(self) -> None:
        if not (callable(self.space) or _is_space(self.space)):
            raise UserError(
                f"space={self.space}: must be a dictionary of Optuna distributions, or a function of an Optuna trial."
            )
        for name, kind in {"budget": Budget, "fixed": tuple, "points": tuple, "default_to_end": bool}.items():
            if not isinstance(getattr(self, name), kind):
                raise UserError(f"{name}={getattr(self, name)}: must be of the type {kind.__name__}.")
        if type(self.scheduler) not in SCHEDULERS.values():
            legal = ", ".join(kind.__name__ for kind in SCHEDULERS.values())
            raise UserError(f"scheduler={self.scheduler}: must be one of {legal}, with its settings.")
        if not isinstance(cast(object, self.limits), Limits | None):
            raise UserError(f"limits={self.limits}: must be Limits(parameters=..., milliseconds=..., peak_mib=...).")
        self._check_sampler()
        if self.metric not in RANKABLE:
            raise unknown("metric of a sweep", self.metric, RANKABLE)

    def _check_sampler(self) -> None:
        if isinstance(self.sampler, type | BaseSampler):
            raise UserError(
                f"sampler={self.sampler}: must be a function from a seed to an Optuna sampler, such as "
                "lambda seed: TPESampler(seed=seed), or one of " + ", ".join(SAMPLERS) + "."
            )
        if not callable(self.sampler) and str(self.sampler) not in SAMPLERS:
            raise unknown("sampler of a sweep", str(self.sampler), SAMPLERS)
        if isinstance(self.prior, str) and self.prior not in PRIORS:
            raise unknown("prior of a sweep", self.prior, (*PRIORS, "a mapping of keys to values"))
        if not isinstance(cast(object, self.prior), str | Mapping):
            raise UserError(f"prior={self.prior}: must be {', '.join(PRIORS)}, or a mapping of keys to values.")
        if not isinstance(self.prior, str) and self.sampler != OWN_MODEL:
            raise UserError(
                f"prior={dict(self.prior)}: the sampler {self.sampler_name} takes no prior, only {OWN_MODEL} does."
            )

    @property
    def sampler_name(self) -> str:
        """The sampler's name, such as ``gp``, or the name of its function."""
        if isinstance(self.sampler, str):
            return self.sampler
        function = self.sampler.func if isinstance(self.sampler, partial) else self.sampler
        name = getattr(function, "__qualname__", type(function).__qualname__)
        return f"function {name}" if name in SAMPLERS else name


def _is_space(space: object) -> bool:
    return isinstance(space, Mapping) and all(
        isinstance(key, str) and isinstance(found, BaseDistribution)
        for key, found in cast(Mapping[object, object], space).items()
    )


PARTS = (SweepSpec, Budget, Limits, Asha, Hyperband, NoStopping)


def list_specs() -> dict[str, str]:
    """Every spec's name and question (the first line of its docstring), without importing it."""
    paths = [path for path in sorted(SPECS_DIR.glob("*.py")) if path.stem != "__init__"]
    return {path.stem: _question(path).partition("\n")[0] for path in paths}


def _question(path: Path) -> str:
    try:
        return ast.get_docstring(ast.parse(path.read_text())) or ""
    except (SyntaxError, ValueError):  # the error is reported when the spec is imported
        return "(not valid Python)"


def spec_path(name: str) -> Path:
    """The file of a spec. ``name`` is the name of a module in ``sweeps/specs``, or a path that ends in ``.py``.

    An unknown name or a missing file is a ``UserError``.
    """
    if not is_path(name):
        if name not in list_specs():
            raise unknown("spec", name, list_specs())
        return SPECS_DIR / f"{name}.py"
    refuse_irregular(user_path(name))
    return user_path(name).resolve()


def is_path(name: str) -> bool:
    """Whether a spec is given by its path, not by its name."""
    return name.endswith(".py")


def question(name: str) -> str:
    """The question of a spec: the first line of its docstring."""
    return _question(spec_path(name)).partition("\n")[0]


def load_spec(name: str) -> SweepSpec:
    """The ``SPEC`` of a module in ``sweeps/specs``, or of a file. An invalid spec is a ``UserError``."""
    path = spec_path(name)
    shown = path if is_path(name) else f"sweeps/specs/{name}.py"
    try:
        module = _import_file(path) if is_path(name) else importlib.import_module(f"sweeps.specs.{name}")
    except UserError as error:
        raise UserError(f"{shown}: {error}") from error
    except (Exception, SystemExit) as error:  # the file is the user's code; Optuna raises for a reversed range
        where = line_of(error, path)
        if mistaken := unknown_field(error):
            raise UserError(f"{shown}{where}: {mistaken}") from error
        hint = next((text for field, text in RENAMED.items() if f"'{field}'" in str(error)), "--debug shows where.")
        raise UserError(f"{shown}{where}: {type(error).__name__}: {error}. {hint}") from error
    if not hasattr(module, "SPEC"):
        raise UserError(f"{shown} defines no SPEC: it must have a line SPEC = SweepSpec(...).")
    if not isinstance(spec := module.SPEC, SweepSpec):
        raise UserError(f"{shown}: SPEC={spec!r}: must be a SweepSpec(...).")
    return spec


def line_of(error: BaseException, path: Path) -> str:
    """``, line 12``: the last line of the file that an error has passed; empty if it has passed none."""
    passed = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
    return f", line {passed[-1]}" if passed else ""


def unknown_field(error: BaseException) -> UserError | None:
    """The error for a field that a part of a spec does not have; None for any other error."""
    match = UNKNOWN_FIELD.search(str(error))
    part = next((one for one in PARTS if match and one.__name__ == match[1]), None)
    if match is None or part is None or match[2] in RENAMED:
        return None
    return unknown(f"field of {match[1]}", match[2], [item.name for item in fields(part)])


def _import_file(path: Path) -> ModuleType:
    """Import a Python file that does not belong to a package."""
    name = f"sweep_spec_{path.stem}"
    module_spec = importlib.util.spec_from_file_location(name, path)
    assert module_spec is not None
    assert module_spec.loader is not None  # .py files always have one
    module = sys.modules[name] = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(module)
    return module
