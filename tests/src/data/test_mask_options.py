"""The options that say what is crack."""

import pytest

from src.data.mask_options import add_mask_options, user_rule_of
from src.data.masks import UserRule
from src.errors import Parser, UserError


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ([], UserRule()),
        (["--crack-colour", "7", "--crack-color", "1,2,3"], UserRule(((7, 7, 7), (1, 2, 3)))),
        (["--crack-above", "0"], UserRule(above=0)),
    ],
)
def test_colours_and_a_value_are_the_rule(words: list[str], rule: UserRule):
    parser = Parser()
    add_mask_options(parser)
    assert user_rule_of(parser.parse_args(words)) == rule


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--crack-colour", "1,2"], "1,2"),
        (["--crack-colour", "256,0,0"], "256,0,0"),
        (["--crack-colour", "red"], "red"),
        (["--crack-colour", "7", "--crack-above", "3"], "--crack-above"),
    ],
)
def test_what_is_no_colour_and_two_rules_are_refused(words: list[str], said: str):
    parser = Parser()
    add_mask_options(parser)
    with pytest.raises(UserError, match=said):
        user_rule_of(parser.parse_args(words))
