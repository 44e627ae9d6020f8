"""What is said of configurations that were trained again."""

import re
from dataclasses import replace

import numpy as np
import pytest

from analysis.verdict import ComparedOn, Run, SearchScore, Verdict, judge

IMAGES = 30
GROUPS = ComparedOn([str(image) for image in range(IMAGES)])
RANDOM = np.random.default_rng(3)
HARD = RANDOM.normal(0, 0.1, IMAGES)  # some images are, for everyone
UNIONS = RANDOM.uniform(100, 1000, IMAGES)


def runs(contender: str, quality: float, seeds: int = 5, noise: float = 0.01, seconds: float = 2.0) -> list[Run]:
    found: list[Run] = []
    for seed in range(seeds):
        luck = noise * np.sin(7 * seed + 3 * len(contender))
        values = np.clip(quality + luck + HARD, 0, 1)
        parts = np.stack([values * UNIONS, UNIONS], axis=1)
        found.append(Run(contender, seed, f"{contender}{seed}", quality + luck, 0.4, {"iou": 0.5}, parts, seconds))
    return found


def verdict(*trained: list[Run], out: dict[str, str] | None = None) -> Verdict:
    every = [run for some in trained for run in some]
    searched = {run.contender: SearchScore(0.7, 6) for run in every}
    return judge(every, searched, "default", GROUPS, out or {})


def test_one_that_is_clearly_better_is_chosen_with_its_gain():
    found = verdict(runs("default", 0.5), runs("good", 0.6), runs("middling", 0.55))
    assert found.chosen == "good"
    (sentence,) = found.sentences
    assert sentence.startswith("good is better than the default by +0.1")
    line = found.results[0]
    assert line.contender == "good"
    assert line.gain
    assert line.gain.low < 0.1 < line.gain.high
    assert line.search == SearchScore(0.7, 6)
    assert line.validated == pytest.approx(0.6, abs=0.02)


def test_of_those_that_cannot_be_told_from_the_leader_the_cheapest_is_chosen():
    found = verdict(runs("default", 0.5), runs("good", 0.601, seconds=9.0), runs("cheap", 0.6, seconds=3.0))
    assert found.chosen == "cheap"
    assert found.sentences[1].startswith("cheap ")
    assert found.sentences[1].endswith("so it is chosen.")


def test_one_that_is_cheaper_and_clearly_worse_than_the_leader_is_not_chosen():
    found = verdict(runs("default", 0.5), runs("good", 0.6, seconds=9.0), runs("cheap", 0.55, seconds=1.0))
    assert found.chosen == "good"


def test_costs_that_are_about_the_same_do_not_count():
    found = verdict(runs("default", 0.5), runs("good", 0.601, seconds=3.6), runs("cheap", 0.6, seconds=3.0))
    assert found.chosen == "good"


def test_one_that_cannot_be_told_from_the_default_is_not_chosen_over_it():
    found = verdict(runs("default", 0.5, noise=0.05), runs("better", 0.52, noise=0.05))
    assert found.chosen == "default"
    first, second, third = found.sentences
    assert re.match(r"With 5 seeds there is no clear difference between better and the default: \+0\.0", first)
    assert second.startswith("The default is chosen: ")
    assert re.search(r"\d+ seeds", third)


def test_one_that_cannot_be_told_from_the_default_and_is_cheaper_is_chosen():
    found = verdict(runs("default", 0.5, noise=0.05, seconds=8.0), runs("quick", 0.53, noise=0.08))
    assert found.chosen == "quick"
    assert "quick is chosen: it is cheaper." in found.sentences


def test_where_the_default_is_the_best_the_search_has_found_nothing():
    found = verdict(runs("default", 0.6), runs("worse", 0.5))
    assert found.chosen == "default"
    first, second = found.sentences
    assert "no other configuration is better on validation than the default" in first
    assert second.startswith("The next best, worse, differs from it by -0.1")


def test_one_that_failed_on_its_last_seed_is_shown_with_what_it_had_and_not_chosen():
    found = verdict(runs("default", 0.5), runs("good", 0.6, seeds=4), out={"good": "failed with seed 4: no memory"})
    assert found.chosen == "default"
    assert "good (it failed with seed 4: no memory), differs from it by +0.1" in found.sentences[1]


def test_one_whose_every_training_failed_is_said_not_to_be_compared():
    every = runs("default", 0.5)
    found = judge(
        every,
        {"default": SearchScore(0.7), "large": SearchScore(0.8)},
        "default",
        GROUPS,
        {"large": "failed with seed 0: no memory"},
    )
    assert found.chosen == "default"
    assert found.sentences[-1] == "large is not compared: it failed with seed 0: no memory."


def test_without_a_seed_in_common_nothing_is_compared():
    late = [replace(run, seed=run.seed + 5) for run in runs("default", 0.5)]
    found = verdict(late, runs("good", 0.6))
    assert found.chosen == "default"
    assert found.results[0].gain is None


def test_one_that_has_fewer_seeds_yet_is_compared_on_those_it_has():
    found = verdict(runs("default", 0.5), runs("good", 0.601, seconds=9.0), runs("cheap", 0.6, seeds=4, seconds=3.0))
    assert found.chosen == "cheap"


def test_the_order_of_the_runs_does_not_matter():
    good, default = runs("good", 0.52, noise=0.05), runs("default", 0.5, noise=0.05)
    assert verdict(default, good) == verdict(default[::-1], good[2:] + good[:2])


def test_one_place_on_the_test_split_is_said_to_tell_nothing():
    every = [*runs("default", 0.5), *runs("good", 0.6)]
    found = judge(
        every, {"default": SearchScore(0.7), "good": SearchScore(0.7)}, "default", ComparedOn(["road"] * IMAGES), {}
    )
    assert found.chosen == "default"
    assert "only test images of one group: good and the default differ" in found.sentences[0]


def test_the_test_split_has_no_part_in_who_leads():
    lucky = [replace(run, validated=0.9) for run in runs("lucky", 0.4, seconds=1.0)]  # and cheaper
    found = verdict(runs("default", 0.5), lucky)
    assert found.chosen == "default"
    assert found.sentences[0].startswith("lucky, the best on validation, is worse than the default: -0.1")


def test_one_seed_is_said_to_tell_nothing():
    found = verdict(runs("default", 0.5, seeds=1), runs("good", 0.6, seeds=1))
    assert found.chosen == "default"
    assert "only one seed: good and the default differ by +0.0" in found.sentences[0]


def test_one_that_dropped_out_is_compared_on_the_seeds_it_has_and_never_chosen():
    found = verdict(runs("default", 0.5), runs("out", 0.9, seeds=2), runs("good", 0.6), out={"out": "failed"})
    assert found.chosen == "good"
    assert [line.contender for line in found.results] == ["good", "default", "out"]
    assert found.results[-1].gain
    assert found.results[-1].gain.seeds == 2
    assert found.results[-1].dropped == "failed"


def test_folds_are_what_is_said_to_be_compared_on_and_one_seed_is_enough():
    folds = ComparedOn([str(image % 5) for image in range(IMAGES)], by_fold=True)
    every = [*runs("default", 0.5, seeds=1), *runs("good", 0.6, seeds=1)]
    searched = {"default": SearchScore(0.7), "good": SearchScore(0.7)}
    found = judge(every, searched, "default", folds, {})
    assert found.chosen == "good"
    assert "over 5 folds of all photographs" in found.sentences[0]
    alike = judge([*every[:1], replace(every[1], parts=every[0].parts)], searched, "default", folds, {})
    assert alike.sentences[0].startswith("With 5 folds there is no clear difference")


def test_a_default_that_breaks_a_limit_is_compared_but_not_chosen():
    every = [*runs("default", 0.6), *runs("small", 0.5), *runs("tiny", 0.4)]
    searched = {name: SearchScore(0.7) for name in ("default", "small", "tiny")}
    found = judge(every, searched, "default", GROUPS, {}, broken="milliseconds 40 > 30")
    assert found.chosen == "small"
    assert "milliseconds 40 > 30" in found.sentences[-1]
    assert judge(every, searched, "default", GROUPS, {}).chosen == "default"
    out = {"small": "failed", "tiny": "failed"}
    left = judge(every, searched, "default", GROUPS, out, broken="milliseconds 40 > 30")
    assert left.chosen == "default"
    assert "milliseconds 40 > 30" in left.sentences[-1]
