"""The words of a sweep's command line; mistakes in whole commands are in test_stages."""

import pytest

from src.errors import UserError
from sweeps.options import APART, parse, refuse_contradictions, replaced, with_options
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


@pytest.mark.parametrize(
    ("before", "said", "together"),
    [
        (["data.root=a", "seed=1"], [], ["data.root=a", "seed=1"]),
        (["data.root=a", "data.root=b"], ["data.root=a"], ["data.root=a"]),  # moved, and back
        (["training/loss=dice"], ["training.loss=bce"], ["training.loss=bce"]),
        (["data.image_size=[32,", "32]"], ["data.image_size=[64,", "64]"], ["data.image_size=[64, 64]"]),
        (["best.yaml", "seed=1"], ["best.yaml"], ["best.yaml", "seed=1"]),
    ],
)
def test_what_is_said_last_of_a_key_counts_in_a_sweep_that_goes_on(
    before: list[str], said: list[str], together: list[str]
):
    assert replaced(before, said) == together
