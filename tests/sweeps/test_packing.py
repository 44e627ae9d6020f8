"""How many trials run at once, if that is measured."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
import yaml

from src.cards import Card
from src.config.overrides import Overrides
from sweeps import packing
from sweeps.packing import choose_trials_at_once, hours_of, smallest
from sweeps.plan import make_plan
from sweeps.run import with_trials_at_once
from sweeps.spec import SweepSpec, load_spec
from trainable.card_memory import Fit
from trainable.packing import Throughput
from trainable.smoke_test import EpochCost

CARD = Card("a card", memory_mib=8000, free_mib=7000, context_mib=400)
Asked = list[tuple[int, str, int | None]]
"""For each measurement: trials at once, threads, and MiB on the card."""


@pytest.fixture
def spec(tiny: list[str]) -> SweepSpec:
    """Of a search that is long enough to be measured."""
    words = [word for word in tiny if not word.startswith(("threads=", "training.epochs="))]
    spec = load_spec("quickstart")
    return replace(spec, fixed=tuple(words), budget=replace(spec.budget, trials=600, trials_at_once="auto"))


def rates(monkeypatch: pytest.MonkeyPatch, found: dict[int, float], cores: int = 8, memory_mib: int = 100) -> Asked:
    """Let measurements find these images per second."""
    asked: Asked = []

    def measure(overrides: Iterable[str], at_once: int, seconds: float, memory: int | None) -> Throughput:
        threads = next(item.value for item in Overrides.parse(overrides).items if item.key == "threads")
        asked.append((at_once, str(threads), memory))
        return Throughput(found[at_once], memory_mib)

    monkeypatch.setattr(packing, "measure", measure)
    for module in ("sweeps.packing", "trainable.resources"):
        monkeypatch.setattr(f"{module}.available_cores", lambda: cores)
    return asked


def test_the_smallest_number_that_is_almost_the_best_is_taken():
    assert smallest({1: 10.0, 2: 20.0, 4: 21.0}) == 2
    assert smallest({1: 10.0, 2: 20.0, 4: 22.0}) == 4
    assert smallest({1: 10.0, 2: 10.5, 4: 9.0}) == 1


def test_on_a_cpu_each_number_is_measured_with_its_share_of_the_cores(
    spec: SweepSpec, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    asked = rates(monkeypatch, {1: 10.0, 2: 18.0, 4: 25.0})
    chosen, found = choose_trials_at_once(spec, [])
    assert asked == [(1, "8", None), (2, "4", None), (4, "2", None)]
    assert (chosen.budget.trials_at_once, found) == (4, {1: 10.0, 2: 18.0, 4: 25.0})
    said = "trials_at_once=auto: 4. Images per second: 10.0 with 1 at once, 18.0 with 2 at once, 25.0 with 4 at once."
    assert said in capsys.readouterr().out


def test_no_more_are_measured_than_there_are_cores_or_memory(spec: SweepSpec, monkeypatch: pytest.MonkeyPatch):
    asked = rates(monkeypatch, {1: 10.0, 2: 18.0}, cores=3)
    assert choose_trials_at_once(spec, [])[0].budget.trials_at_once == 2
    assert [count for count, *_ in asked] == [1, 2]
    asked = rates(monkeypatch, {1: 10.0}, memory_mib=10**9)
    assert choose_trials_at_once(spec, [])[0].budget.trials_at_once == 1
    assert [count for count, *_ in asked] == [1]


@pytest.mark.parametrize(("halved_from", "expected"), [(99, 8), (4, 4)])
def test_on_cards_each_is_shared_as_far_as_all_networks_fit_whole(
    spec: SweepSpec, monkeypatch: pytest.MonkeyPatch, halved_from: int, expected: int
):
    asked = rates(monkeypatch, {1: 10.0, 2: 18.0, 4: 30.0}, cores=16)
    monkeypatch.setattr(
        "trainable.card_memory.fit_networks",
        lambda networks, resources, fixed: [Fit("", 1, 1, 8, 4 if resources.trials_per_card >= halved_from else 8)],
    )
    on_cards = replace(spec, fixed=tuple(word for word in spec.fixed if word != "device=cpu"))
    chosen, found = choose_trials_at_once(on_cards, [CARD, CARD])
    assert chosen.budget.trials_at_once == expected
    assert [memory for *_, memory in asked] == [None, CARD.share(2), CARD.share(4)][: len(found)]
    assert found == {2: 20.0, 4: 36.0, 8: 60.0} if expected == 8 else {2: 20.0, 4: 36.0}


def test_a_short_search_is_not_measured_further(
    spec: SweepSpec, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    asked = rates(monkeypatch, {1: 10.0})
    short = replace(spec, budget=replace(spec.budget, trials=3))
    chosen, found = choose_trials_at_once(short, [])
    assert (chosen.budget.trials_at_once, found) == (None, {})
    assert len(asked) == 1
    assert "not measured, as the search takes about" in capsys.readouterr().out


def test_a_number_stays_what_it_is_without_a_measurement(spec: SweepSpec, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(packing, "measure", None)
    two = replace(spec, budget=replace(spec.budget, trials_at_once=2))
    assert with_trials_at_once(two, []) == (two, {})


def test_the_plan_keeps_what_was_measured_and_foretells_by_it(
    spec: SweepSpec, tmp_path_factory: pytest.TempPathFactory
):
    two = replace(spec, budget=replace(spec.budget, trials=10, trials_at_once=2))
    plan = make_plan("packed", two, seed=0)
    measured = replace(plan, packing={1: 10.0, 2: 12.0})
    cost = EpochCost(seconds=36.0, checkpoint_mib=1.0, device="cpu")
    assert measured.hours(cost, plan.forecast()) > 1.5 * plan.hours(cost, plan.forecast())
    path = tmp_path_factory.mktemp("kept") / "sweep.yaml"
    measured.save(path, "Why?")
    assert yaml.safe_load(path.read_text())["resources"]["images_per_second"] == {1: 10.0, 2: 12.0}
    assert hours_of(plan, 20.0) == pytest.approx(hours_of(plan, 10.0) / 2)
