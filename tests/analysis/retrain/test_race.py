"""Whose turn it is when the best are trained again."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.retrain.contenders import DATA_ROOT, SEED, Contender
from analysis.retrain.race import Race, is_clearly_worse
from sweeps.search.trial import Trial

CONTENDERS = [Contender(name, {"x": number}, 0.5) for number, name in enumerate(("default", "a", "b"))]


def race(seeds: int = 3) -> Race:
    return Race(CONTENDERS, "default", list(range(seeds)))


def row(x: int, seed: int, score: float | None, state: str = "complete", reason: str = "") -> Trial:
    return Trial(f"t{x}{seed}", {"x": x, SEED: seed}, score=score, state=state, reason=reason)


def play(scores: dict[tuple[int, int], float], seeds: int = 3) -> list[tuple[int, int]]:
    """The order in which contenders and seeds are trained."""
    rows: list[Trial] = []
    while proposal := race(seeds).propose(len(rows), rows):
        x, seed = proposal.params["x"], proposal.params[SEED]
        assert isinstance(x, int)
        assert isinstance(seed, int)
        rows.append(row(x, seed, scores[x, seed]))
    return [(line.params["x"], line.params[SEED]) for line in rows]


def test_contenders_take_turns_seed_by_seed():
    alike = {(x, seed): 0.5 + 0.1 * seed + 0.01 * (x * seed % 2) for x in range(3) for seed in range(3)}
    assert play(alike) == [(x, seed) for seed in range(3) for x in range(3)]


def test_one_that_is_worse_with_every_seed_drops_out():
    scores = {(x, seed): 0.5 + 0.1 * seed - 0.2 * (x == 2) - 0.001 * seed * x for x in range(3) for seed in range(3)}
    assert play(scores) == [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (0, 2), (1, 2)]


def test_the_default_stays_however_bad_it_is():
    scores = {(x, seed): 0.5 - 0.2 * (x == 0) + 0.001 * seed * x for x in range(3) for seed in range(4)}
    assert [job for job in play(scores, seeds=4) if job[0] == 0] == [(0, 0), (0, 1), (0, 2), (0, 3)]


def test_one_whose_training_failed_gets_no_more_seeds_and_the_reason_is_kept():
    rows = [row(0, 0, 0.5), row(1, 0, None, "failed", "Diverged"), row(2, 0, 0.4)]
    assert race().dropped(rows) == {"a": "failed with seed 0: Diverged"}
    proposal = race().propose(3, rows)
    assert proposal
    assert proposal.params == {"x": 0, SEED: 1}
    following = race().propose(4, [*rows, row(0, 1, None, "running")])
    assert following
    assert following.params == {"x": 2, SEED: 1}


@pytest.mark.parametrize(
    ("scores", "leading", "out"),
    [
        ({0: 0.1}, {0: 0.9}, False),  # one seed says nothing
        ({0: 0.5, 1: 0.6}, {0: 0.6, 1: 0.7}, True),  # the same difference with both
        ({0: 0.5, 1: 0.6}, {0: 0.51, 1: 0.7}, False),
        ({0: 0.7, 1: 0.8}, {0: 0.6, 1: 0.7}, False),  # better
        ({0: 0.5, 1: 0.6}, {2: 0.9, 3: 0.9}, False),  # no seed in common
    ],
)
def test_hopeless_is_who_is_worse_by_more_than_seeds_explain(
    scores: dict[int, float], leading: dict[int, float], out: bool
):
    assert is_clearly_worse(scores, leading, comparisons=1) is out


def test_the_more_looks_there_are_the_more_it_takes_to_drop_out():
    scores, leading = {0: 0.5, 1: 0.64, 2: 0.68}, {0: 0.6, 1: 0.7, 2: 0.81}
    assert is_clearly_worse(scores, leading, comparisons=1)
    assert not is_clearly_worse(scores, leading, comparisons=10)


@given(st.lists(st.floats(0, 1), min_size=12, max_size=12))
def test_every_race_ends_and_nobody_has_a_seed_twice(values: list[float]):
    jobs = play({(x, seed): values[3 * seed + x] for x in range(3) for seed in range(4)}, seeds=4)
    assert len(jobs) == len(set(jobs))
    assert {(0, seed) for seed in range(4)} <= set(jobs)
    complete = [x for x in range(3) if all((x, seed) in jobs for seed in range(4))]
    assert len(complete) >= 1


def test_with_folds_every_contender_is_trained_on_each_and_a_moved_folder_does_not_repeat_them():
    folds = [Path("out/folds") / name for name in "123"]
    rows: list[Trial] = []
    while proposal := Race(CONTENDERS, "default", [0, 1], folds).propose(len(rows), rows):
        rows.append(Trial(f"t{len(rows)}", proposal.params, score=0.5, state="complete"))
    done = [(line.params["x"], line.params[SEED], line.params[DATA_ROOT]) for line in rows]
    roots = [f"{{sweep}}/folds/{fold.name}" for fold in folds]  # wherever it is when the training begins
    assert done == [(x, seed, root) for seed in (0, 1) for root in roots for x in range(3)]
    moved = Race(CONTENDERS, "default", [0, 1], [Path("elsewhere/folds") / name for name in "123"])
    assert moved.propose(len(rows), rows) is None
    assert moved.contender_of(rows[1]) == "a"


def test_one_that_is_worse_on_every_fold_drops_out_before_the_last():
    race = Race(CONTENDERS, "default", [0], [Path(name) for name in "12345"])
    rows = [
        Trial(
            f"t{x}{fold}",
            {"x": x, SEED: 0, DATA_ROOT: f"/f/{fold}"},
            score=0.5 + 0.1 * fold - 0.3 * x,
            state="complete",
        )
        for fold in (1, 2)
        for x in range(2)
    ]
    assert race.dropped(rows) == {"a": "was significantly worse than default after 2 folds"}


def test_a_training_is_called_by_the_trial_that_it_repeats():
    folds = [Path("out/folds") / name for name in "12"]
    race = Race(CONTENDERS, "default", [4], folds)
    first, second = (Trial("t9", {"x": x, SEED: 4, DATA_ROOT: "out/folds/2"}) for x in (0, 1))
    assert race.label(first) == "default (default), seed 4 on fold 2,"
    assert race.label(second) == "a, seed 4 on fold 2,"


def test_a_default_that_may_not_be_chosen_drops_nobody_out():
    large = [replace(CONTENDERS[0], broken="milliseconds 40 > 30"), *CONTENDERS[1:]]
    rows = [row(x, seed, 0.9 - 0.2 * x) for seed in range(3) for x in range(3)]
    assert set(race().dropped(rows)) == {"a", "b"}
    assert set(Race(large, "default", [0, 1, 2]).dropped(rows)) == {"b"}  # a leads those that keep the limit
