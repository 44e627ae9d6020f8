"""Asynchronous successive halving: ``python -m pytest tests/sweeps/test_asha.py``."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_search import asha_settings

from sweeps.search.asha import Asha, SuccessiveHalving
from sweeps.search.scheduler import Decision

THREE = Asha(grace_period=1, reduction_factor=3, max_epochs=9)  # rungs 1 and 3

shapes = asha_settings(4, 30, 4)
# few different values, so that there are many ties; some trials diverge
values = st.sampled_from([0.0, 0.1, 0.2, 0.3, math.nan, math.inf, -math.inf])


class Search:
    """Plays a search with several workers that each advance one trial by one epoch when their turn comes."""

    def __init__(self, asha: Asha, trials: int, workers: int, draw: Callable[..., Any]) -> None:
        self.rules, self.asha, self.draw = SuccessiveHalving(asha), asha, draw
        self.trials, self.workers = trials, workers
        self.epochs: dict[str, int] = {}
        self.recorded: dict[int, dict[str, float]] = {rung: {} for rung in asha.rungs}
        self.ended: set[str] = set()

    def run(self) -> None:
        for _ in range(self.trials * self.asha.max_epochs + self.trials + 1):
            if not self.fill():
                return
            trial = self.draw(st.sampled_from(sorted(self.rules.running)))
            if self.draw(st.integers(0, 30)) == 0:  # it fails
                self.rules.end(trial)
                self.ended.add(trial)
            else:
                self.step(trial)
        pytest.fail("the search does not come to an end")

    def fill(self) -> bool:
        """Give work to idle workers; whether anything runs."""
        while len(self.rules.running) < self.workers:
            closing = len(self.epochs) >= self.trials
            trial = self.rules.next(closing)
            if trial is not None:
                rung = self.rules.paused[trial][0]
                if not self.within_top(trial, rung):  # only the last rules of a search that closes
                    assert closing
                    if self.rules.running or self.rules.completed:
                        before = [0, *self.asha.rungs][self.asha.rungs.index(rung)]
                        coming = list(self.rules.running.values()).count(before)
                        assert self.within_top(trial, rung, coming)
                self.rules.resume(trial)
            elif closing:
                break
            else:
                name = f"t{len(self.epochs)}"
                self.epochs[name] = 0
                self.rules.start(name)
        return bool(self.rules.running)

    def step(self, trial: str) -> None:
        self.epochs[trial] += 1
        epoch, value = self.epochs[trial], self.draw(values)
        decision = self.rules.report(trial, epoch, value)
        if epoch in self.recorded and math.isfinite(value):
            self.recorded[epoch][trial] = value
        elif not math.isfinite(value):
            rung = next((rung for rung in self.asha.rungs if rung >= epoch), None)
            if rung is not None:
                self.recorded[rung][trial] = -math.inf
            assert decision == Decision.STOP
        if decision == Decision.STOP:
            self.ended.add(trial)
        if epoch in self.recorded and decision == Decision.CONTINUE:
            assert self.within_top(trial, epoch)
        if decision == Decision.PAUSE:
            assert epoch in self.recorded
            assert self.asha.variant == "promotion"
        if epoch == self.asha.max_epochs:
            assert decision == Decision.STOP

    def within_top(self, trial: str, rung: int, coming: int = 0) -> bool:
        """Whether fewer than n // eta are better or as good and earlier (stopping: at least one may pass).

        ``coming``: how many more will be there, all of them worse.
        """
        there = self.recorded[rung]
        order = list(there)
        better = sum(
            there[other] > there[trial] or (there[other] == there[trial] and order.index(other) < order.index(trial))
            for other in there
        )
        return better < max((len(there) + coming) // self.asha.reduction_factor, self.asha.variant == "stopping")


@settings(deadline=None, max_examples=150)
@given(asha=shapes, trials=st.integers(1, 25), workers=st.integers(1, 4), data=st.data())
def test_every_search_ends_and_no_trial_passes_a_rung_outside_of_its_top(
    asha: Asha, trials: int, workers: int, data: st.DataObject
):
    search = Search(asha, trials, workers, data.draw)
    search.run()
    assert len(search.epochs) == trials
    assert not search.rules.running
    assert search.ended | search.rules.paused.keys() == search.epochs.keys()
    assert search.rules.completed or not search.rules.paused  # somebody came to the end, if anybody could
    assert all(epochs <= asha.max_epochs for epochs in search.epochs.values())


def climb(rules: SuccessiveHalving, trial: str, value: float, epoch: int = 1) -> Decision:
    if epoch == 1:
        rules.start(trial)
    return rules.report(trial, epoch, value)


def test_of_three_trials_the_best_is_promoted_and_the_others_wait():
    rules = SuccessiveHalving(THREE)
    assert [climb(rules, name, value) for name, value in zip("abc", (0.3, 0.1, 0.2), strict=True)] == [
        Decision.PAUSE
    ] * 3
    assert rules.next() == "a"
    rules.resume("a")
    assert rules.next() is None
    assert rules.report("a", 2, 0.0) == Decision.CONTINUE  # no rung: no decision
    assert rules.report("a", 3, 0.4) == Decision.PAUSE  # alone at its rung
    assert rules.next() is None


def test_a_trial_that_would_be_resumed_at_once_is_not_paused():
    rules = SuccessiveHalving(THREE)
    assert [climb(rules, name, value) for name, value in zip("abc", (0.1, 0.2, 0.3), strict=True)][
        -1
    ] == Decision.CONTINUE
    assert rules.running == {"c": 1}


def test_at_the_end_of_a_search_a_free_process_does_not_wait_for_the_trials_on_their_way_to_a_rung():
    rules = SuccessiveHalving(THREE)
    for name, value in zip("abc", (0.3, 0.1, 0.2), strict=True):
        rules.start(name)
        if name != "c":
            rules.report(name, 1, value)
    assert rules.next() is None  # of two the top third is nobody
    assert rules.next(no_new_trials=True) == "a"  # of three, when c comes, it would be a
    rules.resume("a")
    assert rules.next(no_new_trials=True) is None  # and nobody else
    assert rules.report("c", 1, 0.2) == Decision.PAUSE
    assert rules.next(no_new_trials=True) is None


def test_one_that_overtakes_a_trial_that_passed_early_passes_too():
    rules = SuccessiveHalving(THREE)
    for name, value in zip("ab", (0.3, 0.1), strict=True):
        climb(rules, name, value)
    rules.start("c")
    rules.resume("a")
    assert rules.report("c", 1, 0.4) == Decision.CONTINUE


def test_trials_on_their_way_to_another_rung_do_not_count():
    rules = SuccessiveHalving(THREE)
    for name in "abc":
        climb(rules, name, 0.1)
    rules.resume("a")
    assert rules.report("a", 3, 0.1) == Decision.PAUSE
    rules.start("d")
    rules.start("e")  # on their way to rung 1: at rung 3 there is one, and of five at rung 1 one may pass
    assert rules.next(no_new_trials=True) is None


def test_the_highest_rung_is_served_first():
    rules = SuccessiveHalving(Asha(grace_period=1, reduction_factor=2, max_epochs=8))
    for name, value in zip("abcd", (0.4, 0.3, 0.2, 0.1), strict=True):
        climb(rules, name, value)
    for name in "ab":
        rules.resume(name)
        rules.report(name, 2, 0.5)
    assert climb(rules, "e", 0.9) == Decision.PAUSE  # though it is the best of the lowest rung
    assert rules.next() == "a"


def test_the_first_of_equals_is_better_whatever_it_is_called():
    for names in ("abc", "cba"):
        rules = SuccessiveHalving(THREE)
        for name in names:
            climb(rules, name, 0.0)
        assert rules.next() == names[0]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_ends_the_trial_and_is_never_among_the_best(value: float):
    rules = SuccessiveHalving(THREE)
    assert climb(rules, "a", value) == Decision.STOP
    assert climb(rules, "b", 0.1) == Decision.PAUSE
    climb(rules, "c", 0.2)
    assert "a" not in rules.paused
    assert "c" in rules.running  # the top third of three values


def test_a_report_that_comes_again_or_too_late_changes_nothing():
    rules = SuccessiveHalving(THREE)
    for name, value in zip("abc", (0.3, 0.1, 0.2), strict=True):
        climb(rules, name, value)
    assert rules.report("b", 1, 0.9) == Decision.PAUSE
    assert rules.next() == "a"
    rules.resume("a")
    assert rules.report("a", 1, 0.0) == Decision.CONTINUE
    rules.end("a")
    assert rules.report("a", 2, 0.9) == Decision.STOP
    assert len(rules.rungs[1].ranked) == 3


def test_a_report_that_skips_a_rung_counts_at_that_rung_too():
    rules = SuccessiveHalving(THREE)
    rules.start("a")
    assert rules.report("a", 4, 0.5) == Decision.PAUSE
    assert [len(rung.ranked) for rung in rules.rungs.values()] == [1, 1]
    assert rules.paused["a"][0] == 3


def test_a_search_of_one_trial_trains_it_to_the_end():
    rules = SuccessiveHalving(THREE)
    climb(rules, "a", 0.5)
    for epoch in (3, 9):
        assert rules.next() is None
        assert rules.next(no_new_trials=True) == "a"
        rules.resume("a")
        rules.report("a", epoch, 0.5)
    assert rules.completed == 1
    assert rules.next(no_new_trials=True) is None


def test_a_default_that_is_trained_to_its_end_is_not_the_one_trial_that_has_to_get_there():
    rules = SuccessiveHalving(replace(THREE, reduction_factor=4))
    rules.start("default", to_end=True)
    for epoch in range(1, 10):
        rules.report("default", epoch, 0.1)
        if epoch < 9:
            assert rules.next(no_new_trials=True) is None
    climb(rules, "a", 0.5)
    climb(rules, "b", 0.4)
    assert rules.next() is None  # none of three is in the best quarter
    assert rules.next(no_new_trials=True) == "a"


def test_stopping_lets_the_first_pass_and_ends_a_later_one_that_is_not_among_the_best():
    rules = SuccessiveHalving(replace(THREE, variant="stopping"))
    assert climb(rules, "a", 0.1) == Decision.CONTINUE
    assert climb(rules, "b", 0.2) == Decision.CONTINUE  # the better of two
    assert climb(rules, "c", 0.15) == Decision.STOP
    assert rules.next() is None


class Recorder(SuccessiveHalving):
    """Keeps every report and every question, each with its answer: what a ledger holds."""

    def __init__(self, settings: Asha) -> None:
        super().__init__(settings)
        self.calls: list[tuple[str, tuple[object, ...], object]] = []
        self.deciding = False

    def start(self, trial: str, to_end: bool = False) -> None:
        self.calls.append(("start", (trial, to_end), super().start(trial, to_end)))

    def report(self, trial: str, epoch: int, value: float) -> Decision:
        self.deciding = True
        decision = super().report(trial, epoch, value)
        self.deciding = False
        self.calls.append(("report", (trial, epoch, value), decision))
        return decision

    def next(self, no_new_trials: bool = False) -> str | None:
        chosen = super().next(no_new_trials)
        if not self.deciding:
            self.calls.append(("next", (no_new_trials,), chosen))
        return chosen

    def resume(self, trial: str) -> None:
        super().resume(trial)
        if not self.deciding:
            self.calls.append(("resume", (trial,), None))

    def end(self, trial: str, complete: bool = False) -> None:
        outside, self.deciding = not self.deciding, True
        super().end(trial, complete)
        if outside:
            self.deciding = False
            self.calls.append(("end", (trial, complete), None))


@settings(deadline=None, max_examples=50)
@given(asha=shapes, data=st.data())
def test_the_same_reports_in_the_same_order_decide_the_same_from_any_point_on(asha: Asha, data: st.DataObject):
    search = Search(asha, 8, 2, data.draw)
    search.rules = recorder = Recorder(asha)
    search.run()
    again = SuccessiveHalving(asha)
    for name, arguments, answer in recorder.calls:
        assert getattr(again, name)(*arguments) == answer
