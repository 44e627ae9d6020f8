"""The words of a sweep's command line; mistakes in whole commands are in test_stages."""

from dataclasses import replace
from pathlib import Path

import pytest

from src.config.overrides import save_overrides
from src.errors import UserError
from sweeps.options import APART, parse, refuse_contradictions, replaced, with_options
from sweeps.plan import make_plan
from sweeps.run import sweep_folder
from sweeps.spec import load_spec


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
