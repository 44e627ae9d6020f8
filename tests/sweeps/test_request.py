"""The words of a sweep's command line; mistakes in whole commands are in test_stages."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from src.config.overrides import save_overrides
from src.errors import UserError
from sweeps.identity import differences, identity
from sweeps.plan import make_plan
from sweeps.request import MUTUALLY_EXCLUSIVE, SweepRequest, parse, replaced
from sweeps.run import main, name_of, sweep_folder, with_known_spec
from sweeps.spec import load_spec, question


def test_overrides_may_stand_before_and_after_options():
    request = parse(["quickstart", "seed=1", "--trials", "3", "data.root=here"])
    assert (request.spec, request.overrides, request.trials) == ("quickstart", ("seed=1", "data.root=here"), 3)


def test_what_nobody_said_is_none_so_that_a_sweep_that_goes_on_can_complete_it():
    request = parse(["quickstart"])
    assert request == SweepRequest(spec="quickstart")
    assert request.stop_when_converged is None
    assert parse(["quickstart", "--no-stop-when-converged"]).stop_when_converged is False


@pytest.mark.parametrize(
    ("one", "other"), [(one, other) for one, others in MUTUALLY_EXCLUSIVE.items() for other in others]
)
def test_options_that_would_be_ignored_beside_each_other_are_refused(one: str, other: str):
    words = {"extend": ["3"], "trials": ["3"], "warm_start": ["other"], "address": ["auto"], "gpu_memory": ["8"]}
    words |= {"on_end": ["true"]}
    given = [word for name in (one, other) for word in (f"--{name.replace('_', '-')}", *words.get(name, []))]
    with pytest.raises(UserError) as caught:
        parse(["quickstart", *given])
    assert all(word in str(caught.value) for word in given if word.startswith("--"))


def test_a_spec_takes_budgets_and_a_horizon_from_the_command_line():
    spec = parse(["quickstart", "seed=1", "--trials", "3", "--max-epochs", "6"]).applied_to(load_spec("quickstart"))
    assert (spec.budget.trials, spec.scheduler.max_epochs, spec.scheduler.rungs) == (3, 6, [1, 3])
    assert spec.fixed[-1] == "seed=1"
    other = parse(["quickstart", "data.image_size=[32,", "32]"]).applied_to(load_spec("quickstart"))
    assert [word for word in other.fixed if "image_size" in word] == ["data.image_size=[32, 32]"]
    assert spec.budget.epochs is load_spec("quickstart").budget.epochs


def test_a_file_of_overrides_stands_for_those_that_it_lists(tmp_path: Path):
    save_overrides(["data.batch_size=3", f"output_root={tmp_path / 'here'}"], tmp_path / "mine.yaml")
    words = ["quickstart", str(tmp_path / "mine.yaml")]
    options = parse(words)
    spec = options.applied_to(load_spec("quickstart"))
    assert {"data.batch_size=3", f"output_root={tmp_path / 'here'}"} <= set(spec.fixed)
    assert sweep_folder(spec, options.overrides, "mine") == tmp_path / "here" / "sweeps" / "mine"


@pytest.mark.parametrize("sign", ["", "+", "++"])
def test_the_folder_of_a_sweep_is_the_one_that_its_plan_writes_to(tmp_path: Path, sign: str):
    options = parse(["quickstart", f"{sign}output_root={tmp_path}"])
    spec = options.applied_to(load_spec("quickstart"))
    if sign == "+":  # Hydra's word for a key that is not there yet
        with pytest.raises(UserError, match="output_root"):
            sweep_folder(spec, options.overrides, "mine")
    else:
        assert sweep_folder(spec, options.overrides, "mine") == make_plan("mine", spec, 0).folder


def test_a_key_that_is_said_takes_the_place_of_the_specs_and_of_those_below_it():
    spec = replace(load_spec("quickstart"), fixed=("model=architectures/unet", "model.encoder=mit_b0", "seed=3"))
    changed = parse(["quickstart", "model=architectures/fpn", "++seed=4"]).applied_to(spec)
    assert changed.fixed == ("model=architectures/fpn", "++seed=4")


@pytest.mark.parametrize(
    ("before", "said", "together"),
    [
        (["data.root=a", "seed=1"], [], ["data.root=a", "seed=1"]),
        (["data.root=a", "data.root=b"], ["data.root=a"], ["data.root=a"]),  # moved, and back
        (["training/loss=dice"], ["training.loss=bce"], ["training.loss=bce"]),
        (["data.image_size=[32,", "32]"], ["data.image_size=[64,", "64]"], ["data.image_size=[64, 64]"]),
        (["model.encoder=mit_b0", "seed=1"], ["model=architectures/fpn"], ["seed=1", "model=architectures/fpn"]),
    ],
)
def test_what_is_said_last_of_a_key_counts_in_a_sweep_that_goes_on(
    before: list[str], said: list[str], together: list[str]
):
    assert replaced(before, said) == tuple(together)


SPEC = """\"\"\"Does it run from anywhere?\"\"\"
from optuna.distributions import FloatDistribution
from sweeps.spec import Asha, Budget, SweepSpec
SPEC = SweepSpec(
    space={"training.optimizer.lr_scale": FloatDistribution(0.1, 10.0, log=True)},
    scheduler=Asha(grace_period=1, reduction_factor=3, max_epochs=6),
    budget=Budget(trials=3),
)
"""


def test_a_spec_may_be_a_file_anywhere(tmp_path: Path, tiny: list[str], monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "mine.py").write_text(SPEC)
    monkeypatch.chdir(tmp_path)
    words = [word for word in tiny if not word.startswith(("training.epochs", "threads"))]
    options = with_known_spec(parse(["mine.py", *words]))
    spec, name = load_spec(options.spec), name_of(options)
    assert (name, options.spec, spec.budget.trials) == ("mine", str(tmp_path / "mine.py"), 3)
    assert question(options.spec) == "Does it run from anywhere?"
    plan = make_plan(name, options.applied_to(spec), seed=0)
    before = identity(plan, options.spec)
    (tmp_path / "deep").mkdir()
    (tmp_path / "mine.py").rename(tmp_path / "deep" / "mine.py")
    assert identity(plan, str(tmp_path / "deep" / "mine.py")) == before
    (tmp_path / "deep" / "mine.py").write_text(SPEC.replace("10.0", "9.0"))
    changed = differences(before, identity(plan, str(tmp_path / "deep" / "mine.py")))
    assert [line.split(":")[0].strip() for line in changed] == ["sweeps/specs/mine.py"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("none.py", None, "none.py"),
        ("bad.py", "SPEC = 3", "SPEC=3"),
        ("bad.py", "1 / 0", "ZeroDivisionError"),
        ("a b.py", SPEC, "--name"),
    ],
)
def test_a_file_that_holds_no_spec_is_refused_by_name(tmp_path: Path, name: str, content: str | None, sentence: str):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=sentence):
        main([str(tmp_path / name), "--dry-run"])


@pytest.mark.parametrize("fixed", ["training.epochs=3", "++threads=2", "experiment_name=mine"])
def test_what_a_sweep_decides_itself_is_refused_in_a_spec_too(fixed: str):
    spec = replace(load_spec("quickstart"), fixed=(fixed,))
    with pytest.raises(UserError, match=fixed.lstrip("+").partition("=")[0]):
        parse(["quickstart"]).applied_to(spec)


def test_a_session_that_goes_on_has_the_options_of_the_one_before_where_it_gives_none():
    saved = parse(["quickstart", "seed=1", "data.root=a", "--hours", "3", "--seed", "5"]).saved()
    assert json.loads(json.dumps(saved)) == saved | {"overrides": ["seed=1", "data.root=a"]}
    request = parse(["quickstart", "data.root=b", "--hours", "2", "--resume"]).completed(saved, trials=12)
    assert (request.trials, request.hours, request.seed) == (12, 2.0, 5)
    assert request.overrides == ("seed=1", "data.root=b")
    assert request.resume
