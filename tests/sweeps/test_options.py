"""The words of a sweep's command line; mistakes in whole commands are in test_stages."""

from dataclasses import replace
from pathlib import Path

import pytest

from src.config.overrides import save_overrides
from src.errors import UserError
from sweeps.identity import differences, identity
from sweeps.options import APART, parse, refuse_contradictions, replaced, with_options
from sweeps.plan import make_plan
from sweeps.run import chosen, sweep_folder
from sweeps.spec import load_spec, question


def test_overrides_may_stand_before_and_after_options():
    options = parse(["quickstart", "seed=1", "--trials", "3", "data.root=here"])
    assert (options.spec, options.overrides, options.trials) == ("quickstart", ["seed=1", "data.root=here"], 3)


def test_what_nobody_said_is_none_so_that_a_sweep_that_goes_on_can_complete_it():
    options = parse(["quickstart"])
    said = {name for name, value in vars(options).items() if value not in (None, False, [])}
    assert said == {"spec"}
    assert options.stop_when_converged is None
    assert parse(["quickstart", "--no-stop-when-converged"]).stop_when_converged is False


@pytest.mark.parametrize(("one", "other"), [(one, other) for one, others in APART.items() for other in others])
def test_options_that_would_be_ignored_beside_each_other_are_refused(one: str, other: str):
    options = parse(["quickstart"])
    for name in (one, other):
        setattr(options, name, 3 if name in ("extend", "trials") else True)
    with pytest.raises(UserError, match=r"--[a-z-]+ and --[a-z-]+ cannot be said together"):
        refuse_contradictions(options)


def test_a_spec_takes_budgets_and_a_horizon_from_the_command_line():
    spec = with_options(load_spec("quickstart"), parse(["quickstart", "seed=1", "--trials", "3", "--max-epochs", "6"]))
    assert (spec.budget.trials, spec.asha.max_epochs, spec.asha.grace_period) == (3, 6, 1)
    assert spec.fixed[-1] == "seed=1"
    other = with_options(load_spec("quickstart"), parse(["quickstart", "data.image_size=[32,", "32]"]))
    assert [word for word in other.fixed if "image_size" in word] == ["data.image_size=[32, 32]"]
    assert spec.budget.epochs is load_spec("quickstart").budget.epochs


def test_a_file_of_overrides_stands_for_those_that_it_lists(tmp_path: Path):
    save_overrides(["data.batch_size=3", f"output_root={tmp_path / 'here'}"], tmp_path / "mine.yaml")
    words = ["quickstart", str(tmp_path / "mine.yaml")]
    options = parse(words)
    spec = with_options(load_spec("quickstart"), options)
    assert {"data.batch_size=3", f"output_root={tmp_path / 'here'}"} <= set(spec.fixed)
    assert sweep_folder(spec, options.overrides, "mine") == tmp_path / "here" / "sweeps" / "mine"


@pytest.mark.parametrize("sign", ["", "+", "++"])
def test_the_folder_of_a_sweep_is_the_one_that_its_plan_writes_to(tmp_path: Path, sign: str):
    options = parse(["quickstart", f"{sign}output_root={tmp_path}"])
    spec = with_options(load_spec("quickstart"), options)
    if sign == "+":  # Hydra's word for a key that is not there yet
        with pytest.raises(UserError, match="output_root"):
            sweep_folder(spec, options.overrides, "mine")
    else:
        assert sweep_folder(spec, options.overrides, "mine") == make_plan("mine", spec, 0).folder


def test_a_key_that_is_said_takes_the_place_of_the_specs_and_of_those_below_it():
    spec = replace(load_spec("quickstart"), fixed=("model=architectures/unet", "model.encoder=mit_b0", "seed=3"))
    changed = with_options(spec, parse(["quickstart", "model=architectures/fpn", "++seed=4"]))
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
    assert replaced(before, said) == together


SPEC = """\"\"\"Does it run from anywhere?\"\"\"
from optuna.distributions import FloatDistribution
from sweeps.spec import Asha, Budget, SweepSpec
SPEC = SweepSpec(
    space={"training.optimizer.lr_scale": FloatDistribution(0.1, 10.0, log=True)},
    asha=Asha(grace_period=1, reduction_factor=3, max_epochs=6),
    budget=Budget(trials=3),
)
"""


def test_a_spec_may_be_a_file_anywhere(tmp_path: Path, tiny: list[str], monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "mine.py").write_text(SPEC)
    monkeypatch.chdir(tmp_path)
    words = [word for word in tiny if not word.startswith(("training.epochs", "threads"))]
    options = parse(["mine.py", *words])
    spec, name = chosen(options)
    assert (name, options.spec, spec.budget.trials) == ("mine", str(tmp_path / "mine.py"), 3)
    assert question(options.spec) == "Does it run from anywhere?"
    plan = make_plan(name, with_options(spec, options), seed=0)
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
        ("bad.py", "SPEC = 3", "must have a SPEC"),
        ("bad.py", "1 / 0", "ZeroDivisionError"),
        ("a b.py", SPEC, "say --name"),
    ],
)
def test_a_file_that_holds_no_spec_is_refused_by_name(tmp_path: Path, name: str, content: str | None, sentence: str):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=sentence):
        chosen(parse([str(tmp_path / name)]))


@pytest.mark.parametrize("fixed", ["training.epochs=3", "++threads=2", "experiment_name=mine"])
def test_what_a_sweep_decides_itself_is_refused_in_a_spec_too(fixed: str):
    spec = replace(load_spec("quickstart"), fixed=(fixed,))
    with pytest.raises(UserError, match=fixed.lstrip("+").partition("=")[0]):
        with_options(spec, parse(["quickstart"]))
