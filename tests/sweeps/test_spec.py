"""Specs: what a sweep is."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution
from optuna.samplers import BaseSampler, TPESampler

from src.errors import UserError
from sweeps import spec as spec_module
from sweeps.plan import make_plan
from sweeps.search.space import Params, corners, few_corners
from sweeps.spec import Asha, Budget, Space, SweepSpec, list_specs, load_spec
from trainable.overrides import trial_overrides
from trainable.smoke_test import run_smoke_test

asha_shapes = st.builds(
    lambda grace, more, factor: Asha(grace_period=grace, reduction_factor=factor, max_epochs=grace + more),
    st.integers(1, 20),
    st.integers(0, 200),
    st.integers(2, 5),
)


@given(asha_shapes)
def test_rungs_grow_by_the_reduction_factor_and_end_below_max_epochs(asha: Asha):
    rungs = asha.rungs
    assert all(rung < asha.max_epochs for rung in rungs)
    assert all(later == earlier * asha.reduction_factor for earlier, later in pairwise(rungs))
    assert not rungs or rungs[-1] * asha.reduction_factor >= asha.max_epochs


@given(asha_shapes, st.integers(1, 300))
def test_a_scaled_shape_is_legal_and_keeps_its_factor(asha: Asha, epochs: int):
    scaled = asha.scaled(epochs)
    assert scaled.max_epochs == epochs
    assert scaled.reduction_factor == asha.reduction_factor
    assert 1 <= scaled.grace_period <= epochs


@pytest.mark.parametrize(
    ("grace", "factor", "epochs", "sentence"),
    [
        (9, 3, 8, "grace_period=9: must be from 1 to max_epochs=8"),
        (0, 3, 8, "grace_period=0"),
        (1, 1, 8, "reduction_factor=1: must be at least 2"),
    ],
)
def test_an_impossible_asha_names_the_value_and_the_rule(grace: int, factor: int, epochs: int, sentence: str):
    with pytest.raises(UserError, match=sentence):
        Asha(grace_period=grace, reduction_factor=factor, max_epochs=epochs)


@pytest.mark.parametrize(
    "field", ["trials", "trials_at_once", "gpus", "epochs", "hours", "hang_minutes", "checkpoints_gib"]
)
def test_a_budget_of_nothing_is_refused(field: str):
    with pytest.raises(UserError, match=f"{field}=0"):
        Budget(**{"trials": 3, field: 0})  # type: ignore[arg-type]


@pytest.mark.parametrize("metric", ["val/loss", "val/iuo"])
def test_a_metric_that_cannot_be_maximised_is_refused(metric: str):
    with pytest.raises(UserError, match=f"Unknown metric of a sweep '{metric}'"):
        replace(load_spec("quickstart"), metric=metric)


def test_every_spec_asks_a_question_in_its_first_line():
    assert {
        "architectures",
        "encoder_kinds",
        "quickstart",
        "swin_unet_lr",
        "unet_encoder",
        "unet_optimizer",
    } <= list_specs().keys()
    assert all("?" in question for question in list_specs().values())


@pytest.mark.parametrize("name", list_specs())
def test_every_spec_follows_the_rules_and_contains_its_default(name: str):
    spec = load_spec(name)
    assert spec.scheduler.rungs[0] / spec.scheduler.max_epochs >= 0.06
    plan = make_plan(name, spec, seed=0)
    assert plan.default_params
    assert f"training.epochs={spec.scheduler.max_epochs}" in plan.fixed


def networks_trained(name: str, walk: Callable[[Space], Iterable[Params]]) -> int:
    plan = make_plan(name, load_spec(name), seed=0)
    return len(run_smoke_test(trial_overrides(plan.fixed, point) for point in walk(plan.spec.space)))


@pytest.mark.parametrize(
    ("name", "networks"),
    [
        ("quickstart", 3),
        pytest.param("swin_unet_lr", 4, marks=pytest.mark.slow),
        pytest.param("unet_encoder", 8, marks=pytest.mark.slow),
        pytest.param("unet_optimizer", 4, marks=pytest.mark.slow),
        pytest.param("architectures", 8, marks=pytest.mark.slow),
    ],
)
def test_each_choice_of_every_spec_composes_and_makes_a_step(name: str, networks: int):
    assert networks_trained(name, few_corners) >= networks


@pytest.mark.slow
@pytest.mark.parametrize("name", list_specs())
def test_every_corner_of_every_spec_composes_and_makes_a_step(name: str):
    assert networks_trained(name, corners) >= 1


def test_an_unknown_spec_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="Did you mean 'quickstart'"):
        load_spec("quikstart")


def test_a_spec_with_a_reversed_range_is_refused_with_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = Path(spec_module.__file__).with_name("specs")
    text = (
        (folder / "quickstart.py").read_text().replace("FloatDistribution(0.005, 10.0", "FloatDistribution(10.0, 0.005")
    )
    (tmp_path / "reversed_range.py").write_text(text)
    monkeypatch.setattr(spec_module, "SPECS_DIR", tmp_path)
    monkeypatch.setattr("sweeps.specs.__path__", [str(tmp_path)])
    with pytest.raises(UserError, match=r"specs/reversed_range\.py, line \d+: .*low <= high"):
        load_spec("reversed_range")


def test_a_spec_cannot_be_changed():
    spec = SweepSpec(
        space={"seed": FloatDistribution(0, 1)},
        scheduler=Asha(grace_period=1, reduction_factor=2, max_epochs=2),
        budget=Budget(trials=1),
    )
    with pytest.raises(AttributeError):
        spec.metric = "val/iou"  # type: ignore[misc]


GOOD = {
    "space": {"seed": FloatDistribution(0, 1)},
    "scheduler": Asha(grace_period=1, reduction_factor=2, max_epochs=2),
    "budget": Budget(trials=1),
}


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("space", 3),
        ("space", {"seed": (0, 1)}),
        ("space", None),
        ("scheduler", None),
        ("scheduler", "asha"),
        ("fixed", "seed=3"),
        ("points", {}),
    ],
)
def test_a_part_of_another_type_is_refused_by_name(part: str, value: object):
    with pytest.raises(UserError, match=f"^{part}="):
        SweepSpec(**cast(dict[str, Any], GOOD | {part: value}))


@pytest.mark.parametrize(("sampler", "legal"), [("gpp", "gp"), ("cma", "random"), (3, "tpe")])
def test_an_unknown_sampler_is_refused_with_those_there_are(sampler: Any, legal: str):
    with pytest.raises(UserError, match=rf"{sampler}.*{legal}"):
        SweepSpec(**cast(dict[str, Any], GOOD | {"sampler": sampler}))


def test_a_sampler_may_be_a_function_from_a_seed_to_an_optuna_sampler():
    spec = SweepSpec(**cast(dict[str, Any], GOOD | {"sampler": multivariate}))
    assert (spec.sampler, spec.sampler_name) == (multivariate, "multivariate")


def test_a_sampler_has_the_same_name_in_every_session():
    spec = SweepSpec(**cast(dict[str, Any], GOOD | {"sampler": partial(multivariate)}))
    assert spec.sampler_name == "multivariate"


@pytest.mark.parametrize("sampler", [TPESampler, TPESampler(seed=0)])
def test_a_sampler_in_place_of_a_function_that_makes_one_is_refused(sampler: Any):
    with pytest.raises(UserError, match="lambda seed"):
        SweepSpec(**cast(dict[str, Any], GOOD | {"sampler": sampler}))


@pytest.mark.parametrize(("field", "cure"), [("asha", "scheduler="), ("form", "variant=")])
def test_a_field_of_an_older_version_is_refused_with_its_new_name(tmp_path: Path, field: str, cure: str):
    (tmp_path / "old.py").write_text(f"from sweeps.spec import SweepSpec\nSPEC = SweepSpec({field}=3)\n")
    with pytest.raises(UserError, match=cure):
        load_spec(str(tmp_path / "old.py"))


def multivariate(seed: int) -> BaseSampler:
    return TPESampler(seed=seed, multivariate=True)


@pytest.mark.parametrize("value", [float("nan"), 65])
def test_a_budget_that_no_machine_has_is_refused(value: float):
    with pytest.raises(UserError, match=r"^(hours|trials_at_once)="):
        Budget(trials=1, **cast(dict[str, Any], {"hours": value} if value != value else {"trials_at_once": value}))


@pytest.mark.parametrize(
    ("written", "kind", "field", "near"),
    [
        ("Limits(params=3)", "Limits", "params", "parameters"),
        ("Budget(trial=3)", "Budget", "trial", "trials"),
        ("Asha(grace=1, max_epochs=3)", "Asha", "grace", "grace_period"),
        ("SweepSpec(limit=None)", "SweepSpec", "limit", "limits"),
    ],
)
def test_a_field_that_a_part_of_a_spec_does_not_have_is_named_with_its_line_and_the_legal_ones(
    written: str, kind: str, field: str, near: str, tmp_path: Path
):
    path = tmp_path / "mine.py"
    path.write_text(f"from sweeps.spec import Asha, Budget, Limits, SweepSpec\n\nSPEC = {written}\n")
    with pytest.raises(UserError) as refused:
        load_spec(str(path))
    said = str(refused.value)
    assert said.startswith(f"{path}, line 3: Unknown field of {kind} '{field}'.")
    assert near in said.partition("Legal:")[2]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "defines no SPEC"),
        ("SPEC = None", "SPEC=None"),
        ("SPEC = 3", "SPEC=3"),
        ("def (", "SyntaxError"),
        ("import nothing_of_the_kind", "No module named 'nothing_of_the_kind'"),
        ("raise SystemExit(0)", "SystemExit"),
        ("1 / 0", "ZeroDivisionError: division by zero.*--debug"),
    ],
)
def test_a_module_that_holds_no_spec_is_refused_with_its_file(
    text: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "broken_spec.py").write_text(text)
    monkeypatch.setattr(spec_module, "SPECS_DIR", tmp_path)
    monkeypatch.setattr("sweeps.specs.__path__", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "sweeps.specs.broken_spec", raising=False)
    with pytest.raises(UserError, match=rf"specs/broken_spec\.py.*{sentence}"):
        load_spec("broken_spec")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prior": "nothing"}, ["nothing", "default", "none"]),
        ({"prior": None}, ["prior=None", "default", "none"]),
        ({"prior": {"training.optimizer.lr_scale": 1.0}, "sampler": "tpe"}, ["lr_scale", "tpe", "gp"]),
    ],
)
def test_a_prior_that_would_not_be_used_is_refused(changes: dict[str, Any], words: list[str]):
    with pytest.raises(UserError) as caught:
        replace(load_spec("quickstart"), **changes)
    assert all(word in str(caught.value) for word in words)
