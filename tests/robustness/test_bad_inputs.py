"""Is every bad input named, and is it counted right? A few of them: ``pytest tests/robustness -m slow -k bomb``."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

from src.errors import UserError
from tests.robustness import bad_inputs
from tests.robustness.bad_home import Case, Home
from tests.robustness.bad_inputs import cases, good_cases, judge, main, make_home


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(tmp_path_factory.mktemp("bad_inputs") / "good")


def outcome(good: Home, program: Callable[[Home], object], named: str = "x.png") -> str:
    """What a program that does this in its home comes to."""
    homes: list[Home] = []
    programs = bad_inputs.PROGRAMS | {"test": lambda argv: program(homes[0])}

    def spoil(home: Home) -> list[str]:
        homes.append(home)
        return []

    case = Case("family", "name", named, "test", spoil)
    with patch.multiple(bad_inputs, PROGRAMS=programs, START="fork"):  # another process would not have the program
        return judge(case, good, good.root.with_name("case")).kind


def id_of(case: Case) -> str:
    return f"{case.family}: {case.name}"


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
@pytest.mark.parametrize("case", good_cases(), ids=id_of)
def test_a_good_input_is_not_refused(case: Case, good: Home, tmp_path: Path):
    outcome = judge(case, good, tmp_path / "case")
    assert outcome.kind == "through", outcome.said


@pytest.mark.slow
@pytest.mark.parametrize("case", cases(), ids=id_of)
def test_a_bad_input_is_named_before_anything_is_trained(case: Case, good: Home, tmp_path: Path):
    outcome = judge(case, good, tmp_path / "case")
    assert outcome.kind == "named", outcome.said
