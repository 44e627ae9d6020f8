"""Does the torture of a sweep by kills notice what is lost, and does the sweep lose nothing?"""

from pathlib import Path

import pytest

from tests.robustness import crash
from tests.robustness.crash import Trial, lost

BEFORE = {"t0": Trial("complete", {1: 0.1, 2: 0.2}), "t1": Trial("running", {1: 0.3})}


@pytest.mark.parametrize(
    ("after", "what"),
    [
        ({"t1": BEFORE["t1"]}, "t0 is gone"),
        (BEFORE | {"t0": Trial("complete", {1: 0.1})}, "t0 reported"),
        (BEFORE | {"t1": Trial("running", {1: 0.4})}, "t1 reported"),
        (BEFORE | {"t0": Trial("running", {1: 0.1, 2: 0.2})}, "t0 was complete, now it is running"),
    ],
)
def test_what_a_crash_takes_is_noticed(after: dict[str, Trial], what: str):
    (line,) = lost(BEFORE, after)
    assert what in line


def test_a_sweep_that_went_on_has_lost_nothing():
    assert not lost(BEFORE, BEFORE | {"t1": Trial("paused", {1: 0.3, 2: 0.35}), "t2": Trial("running", {})})


def test_a_sweep_that_was_killed_before_it_began_has_nothing_to_compare(tmp_path: Path):
    assert crash.differing(crash.Sweep(tmp_path, "killed", 1), tmp_path) == (0, 0)


@pytest.mark.slow
def test_a_sweep_that_is_killed_twice_loses_nothing(tmp_path: Path):
    assert crash.main(["--kills", "2", "--seed", "3", "--json", str(tmp_path / "crash.json")]) == 0
    assert (tmp_path / "crash.json").is_file()
