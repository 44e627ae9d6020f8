"""Options that make a search fit a night."""

import shlex
from dataclasses import replace

import pytest
from optuna.distributions import CategoricalDistribution

from sweeps.plan import SweepPlan, make_plan
from sweeps.request import parse
from sweeps.search.asha import Asha
from sweeps.shorter import NIGHT_HOURS, fitting
from sweeps.spec import SweepSpec, load_spec
from trainable.resources import Resources
from trainable.smoke_test import EpochCost

ONE = Resources(1, 1)


def plan_of(spec: SweepSpec, *words: str) -> SweepPlan:
    return make_plan("long", parse(["swin_unet_lr", *words]).applied_to(spec), 0, ONE)


def cost_for(plan: SweepPlan, hours: float) -> EpochCost:
    """With which the search takes about so long."""
    return EpochCost(hours * 3600 / plan.forecast().epochs, 300.0, "cpu", first_seconds=5.0)


EARLY = Asha(grace_period=1, reduction_factor=3, max_epochs=27)


@pytest.mark.parametrize("hours", [12.0, 28.0, 55.0, 300.0])
@pytest.mark.parametrize(
    ("name", "more", "scheduler"),
    [
        ("swin_unet_lr", [], None),
        ("unet_encoder", [], None),
        ("swin_unet_lr", [], EARLY),
        ("swin_unet_lr", ["--epochs", "300"], None),
    ],
)
def test_the_options_give_a_search_of_the_hours_that_they_promise(
    hours: float, name: str, more: list[str], scheduler: Asha | None
):
    spec = load_spec(name)
    spec = replace(spec, scheduler=scheduler) if scheduler else spec
    before = plan_of(spec, *more)
    cost = cost_for(before, hours)
    for words, promised in fitting(before, cost):
        after = plan_of(spec, *more, *shlex.split(words))
        smaller = after.config.data.image_size != before.config.data.image_size
        epoch = replace(cost, seconds=cost.seconds / 4, first_seconds=cost.first_seconds / 4) if smaller else cost
        assert after.hours(epoch, after.forecast()) == pytest.approx(promised)
        assert promised <= NIGHT_HOURS


def test_one_option_is_offered_alone_where_it_is_enough():
    plan = plan_of(load_spec("swin_unet_lr"))
    size, epochs, trials = (words for words, _ in fitting(plan, cost_for(plan, 16.0)))
    assert size == "data.image_size=[256,256]"
    assert epochs.split()[0] == "--max-epochs"
    assert trials.split()[0] == "--trials"


def test_where_none_is_enough_there_is_none():
    plan = plan_of(load_spec("quickstart"))
    assert fitting(plan, cost_for(plan, 1e5)) == []


@pytest.mark.parametrize("more", [["data.crop=random"], ["data.image_size=[256,256]"]])
def test_images_are_not_halved_where_that_does_not_help_or_they_are_small(more: list[str]):
    plan = plan_of(load_spec("swin_unet_lr"), *more)
    assert not any("image_size" in words for words, _ in fitting(plan, cost_for(plan, 16.0)))


def test_an_image_size_that_is_searched_is_not_chosen():
    plan = plan_of(load_spec("swin_unet_lr"))
    size = {"data.image_size": CategoricalDistribution(["[512,512]", "[256,256]"])}
    searched = replace(plan, spec=replace(plan.spec, space=size))
    assert not any("image_size" in words for words, _ in fitting(searched, cost_for(searched, 16.0)))
