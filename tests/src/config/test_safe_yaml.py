"""What a YAML file of unknown origin can do: nothing but hold plain values."""

import os
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from src.config.safe_yaml import LARGEST, read_yaml
from src.errors import UserError

LEVELS = list(zip("abcdefghijk", "bcdefghijkl", strict=True))


def bomb(entry: str, level: str) -> str:
    """A line for each level; written out, the last one would hold some hundred thousand million values."""
    return f"- &a {entry}\n" + "".join(level.format(name, ", ".join([f"*{below}"] * 9)) for below, name in LEVELS)


REFUSED = {
    "code": "!!python/object/apply:os.mkdir ['CANARY']",
    "a name of code": "!!python/name:os.system",
    "a class of ours": "!!python/object:src.config.schema.Config {}",
    "an unknown tag": "!canary CANARY",
    "deep lists": "[" * 20_000,
    "deep mappings": "{a: " * 20_000,
    "deep blocks": "".join(" " * depth + "-\n" for depth in range(600)),
    "a date that is none": "- 2020-99-99",
    "a number of too many digits": "- 1" + "0" * 10_000,
    "a key that is a list": "? [a]\n: b",
    "an alias": "[&x a, *x]",
    "an alias of nothing": "- *x",
    "a list in itself": "&x [*x]",
    "a bomb of lists": bomb("[x]", "- &{0} [{1}]\n"),
    "a bomb of mappings": bomb("{x: 1}", "- &{0} {{<<: [{1}]}}\n"),
    "no text": "\udcff",
    "a control character": "\x07",
    "a tab": "a:\n\t- b",
    "a key that stands twice": "a: 1\nb: 2\na: 1\n",
    "an open quote": "- 'a",
    "two documents": "- a\n---\n- b\n",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_is_no_plain_yaml_is_refused_with_its_file_and_does_nothing(text: str, tmp_path: Path):
    path, canary = tmp_path / "file.yaml", tmp_path / "canary"
    path.write_bytes(text.replace("CANARY", str(canary)).encode(errors="surrogateescape"))
    with pytest.raises(UserError, match=str(path)) as caught:
        read_yaml(path)
    assert len(str(caught.value).splitlines()) == 1
    assert not canary.exists()


def test_a_large_file_a_pipe_and_a_folder_are_refused_unread(tmp_path: Path):
    large, pipe = tmp_path / "large.yaml", tmp_path / "pipe.yaml"
    large.write_text("- a=1\n" * (LARGEST // 6 + 1))
    os.mkfifo(pipe)
    with pytest.raises(UserError, match="at most 262144"):
        read_yaml(large)
    for path in (pipe, tmp_path):
        with pytest.raises(UserError, match="it is not a file"):
            read_yaml(path)
    with pytest.raises(UserError, match=r"Cannot read .*nothing\.yaml: No such file"):
        read_yaml(tmp_path / "nothing.yaml")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(alphabet="[]{}&*!?|>-:,#'\"%@\\ \n\tab01.~=<", max_size=60), st.binary(max_size=40)))
def test_whatever_is_in_a_file_it_is_values_or_one_sentence(tmp_path: Path, content: str | bytes):
    path = tmp_path / "any.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with suppress(UserError):
        yaml.safe_dump(read_yaml(path))
