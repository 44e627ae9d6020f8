"""Asynchronous Hyperband: brackets over the same rungs; what holds for any scheduler is in test_scheduler.py."""

from sweeps.search.asha import Asha
from sweeps.search.hyperband import Brackets, Hyperband
from sweeps.search.scheduler import Decision

NINE = Hyperband(grace_period=1, reduction_factor=3, max_epochs=9)  # rungs 1 and 3


def test_each_bracket_begins_a_rung_later_and_the_last_has_none():
    assert [bracket.rungs for bracket in NINE.brackets()] == [[1, 3], [3], []]
    assert NINE.rungs == Asha(grace_period=1, reduction_factor=3, max_epochs=9).rungs


def test_trials_are_shared_out_as_hyperband_has_it():
    assert NINE.shares() == [9, 5, 3]  # n of table 1 in the paper, for eta 3 and s_max 2
    brackets = Brackets(NINE)
    for number in range(34):
        brackets.start(f"t{number}")
    found = list(brackets.bracket_of.values())
    assert found[:3] == [0, 1, 2]  # each has one before any has two
    assert [found.count(number) for number in range(3)] == [18, 10, 6]


def test_a_trial_is_judged_among_those_of_its_bracket():
    brackets = Brackets(NINE)
    for trial in ("a", "b", "c"):  # one in each
        brackets.start(trial)
    assert brackets.report("a", 1, 0.1) is Decision.PAUSE
    assert brackets.report("b", 1, 0.1) is Decision.CONTINUE
    assert brackets.report("b", 3, 0.2) is Decision.PAUSE
    for epoch in (1, 3, 8):
        assert brackets.report("c", epoch, 0.0) is Decision.CONTINUE
    assert brackets.report("c", 9, 0.0) is Decision.STOP


def test_the_trial_of_the_highest_rung_is_resumed_first():
    brackets = Brackets(NINE)
    values: dict[str, float] = {}
    for number in range(17):  # 9 in the first bracket, 5 in the second
        trial = f"t{number}"
        brackets.start(trial)
        values[trial] = 1 - number / 100  # the first is the best, and waits until enough are there
        if brackets.bracket_of[trial] < 2:
            brackets.report(trial, 1, values[trial])
        if brackets.bracket_of[trial] == 1:
            brackets.report(trial, 3, values[trial])
    chosen = brackets.next()
    assert chosen is not None
    assert brackets.bracket_of[chosen] == 1  # at rung 3, where the first bracket's are at rung 1


def test_a_rung_just_below_the_end_begins_no_bracket_of_its_own():
    for epochs, firsts in ((72, [8, 24, 72]), (73, [8, 24, 73]), (125, [8, 24, 72, 125])):
        settings = Hyperband(grace_period=8, reduction_factor=3, max_epochs=epochs)
        assert [bracket.grace_period for bracket in settings.brackets()] == firsts
        assert len(settings.shares()) == len(firsts)
