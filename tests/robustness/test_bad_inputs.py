"""Does the count of bad inputs count right, and is every one of them named?"""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from checkout import ROOT

from benchmarks import bad_inputs
from benchmarks.bad_home import Case, Home
from benchmarks.bad_inputs import cases, judge, main, make_home
from src.errors import UserError


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(tmp_path_factory.mktemp("bad_inputs") / "good")


def outcome(good: Home, program: Callable[[Home], object], named: str = "x.png") -> str:
    """What a program that does this in its home comes to."""
    homes: list[Home] = []
    bad_inputs.PROGRAMS["test"] = lambda argv: program(homes[0])

    def spoil(home: Home) -> list[str]:
        homes.append(home)
        return []

    try:
        return judge(Case("family", "name", named, "test", spoil), good, good.root.with_name("case")).kind
    finally:
        del bad_inputs.PROGRAMS["test"]


def refuse(sentence: str) -> Callable[[Home], None]:
    def program(home: Home) -> None:
        raise UserError(sentence)

    return program


def test_named_is_one_sentence_that_says_what_and_nothing_left_behind(good: Home):
    assert outcome(good, refuse("Cannot read x.png.")) == "named"
    assert outcome(good, refuse("Cannot read it.")) == "another refusal"
    assert outcome(good, lambda home: 1 / 0, named="") == "another refusal"
    assert outcome(good, lambda home: print("error: x.png") or 1) == "another refusal"


def test_what_ends_well_or_leaves_a_result_has_got_through(good: Home):
    def late(home: Home) -> None:
        (home.root / "outputs" / "experiments" / "begun").mkdir(parents=True)
        raise UserError("Cannot read x.png.")

    assert outcome(good, lambda home: None) == "through"
    assert outcome(good, late) == "through"


def test_code_that_ran_and_a_good_file_that_changed_are_harm_whatever_is_said(good: Home):
    def code(home: Home) -> None:
        home.canary.mkdir()
        raise UserError("Cannot read x.png.")

    def change(home: Home) -> None:
        next((home.data / "val" / "masks").iterdir()).unlink()
        raise UserError("Cannot read x.png.")

    assert outcome(good, code) == "harm"
    assert outcome(good, change) == "harm"


def test_a_program_that_does_not_end_takes_too_long(good: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bad_inputs, "LONGEST_SECONDS", 0.5)
    assert outcome(good, lambda home: time.sleep(30)) == "too long"


def test_no_case_stands_there_twice():
    found = Counter((case.family, case.name) for case in cases())
    assert len(found) > 400
    assert not [name for name, count in found.items() if count > 1]


def test_an_unknown_family_is_refused():
    with pytest.raises(UserError, match="Did you mean 'overrides'"):
        main(["overide"])


@pytest.mark.slow
def test_every_bad_input_is_named_before_anything_is_trained(tmp_path: Path):
    # a process of its own: it forks, and then torch's gradients may not have been used with other tests' devices before
    command = [sys.executable, "-m", "benchmarks.bad_inputs", "--json", str(tmp_path / "all.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
