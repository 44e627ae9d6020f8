"""Keys of the configuration and the options of groups."""

import pytest

from src.config.keys import value_at
from src.errors import UserError


def test_a_value_is_found_by_its_dotted_key() -> None:
    values = {"training": {"optimizer": {"lr": 0.5}}}
    assert value_at(values, "training.optimizer.lr") == 0.5
    with pytest.raises(UserError, match=r"Did you mean 'training\.optimizer\.lr'\?"):
        value_at(values, "training.optimizer.lrr")
