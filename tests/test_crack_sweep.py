"""``crack-sweep``: all commands under one name."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from checkout import ROOT
from commands import BIN, run_command_line
from drawn import mask

from crack_sweep import COMMANDS, SHELLS, WAY


def complete(line: str, folder: Path) -> list[str]:
    """What bash offers when TAB is pressed at the end of a line."""
    answer = folder / "answer"
    asked = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_SHELL": "bash", "_ARGCOMPLETE_IFS": "\n", "COMP_LINE": line}
    asked |= {"COMP_POINT": str(len(line)), "_ARGCOMPLETE_STDOUT_FILENAME": str(answer)}
    subprocess.run([str(BIN / "crack-sweep")], env=os.environ | asked, cwd=ROOT, check=True, timeout=60)
    return [word.strip() for word in answer.read_text().splitlines()]


def test_each_module_that_is_a_command_has_a_name():
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
        for folder in ("src", "sweeps", "analysis", ".")
        for path in (ROOT / folder).glob("*.py" if folder in ("src", ".") else "**/*.py")
        if "run_command(" in path.read_text() and "__main__" in path.read_text()
    }
    assert modules - {"crack_sweep", "src.errors"} <= set(COMMANDS.values())
    assert len(COMMANDS) == len(set(COMMANDS.values())) == sum(map(len, WAY.values()))


def test_its_help_shows_the_way_from_photographs_to_an_answer():
    for words in ("crack-sweep", "crack-sweep --help"):
        shown = re.findall(r"^  (\w+) ", run_command_line(words), re.MULTILINE)
        assert shown == list(COMMANDS)


@pytest.mark.parametrize(("words", "said"), [(["mesure"], "'measure'"), (["completion", "tcsh"], "bash")])
def test_what_is_no_command_is_one_sentence(words: list[str], said: str):
    done = subprocess.run([str(BIN / "crack-sweep"), *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_command_is_its_module(tmp_path: Path):
    mask(tmp_path / "a.png")
    words = f"{tmp_path / 'a.png'} --out {tmp_path / 'out'}"
    assert run_command_line(f"crack-sweep measure {words}") == run_command_line(f"python -m src.measure {words}")
    assert "usage: crack-sweep measure" in run_command_line("crack-sweep measure --help")
    failed = subprocess.run(
        [str(BIN / "crack-sweep"), "measure", "nowhere"], capture_output=True, text=True, timeout=60
    )
    assert failed.returncode == 2


def test_commands_options_and_sweeps_are_completed(tmp_path: Path):
    assert complete("crack-sweep le", tmp_path) == ["leaderboard"]
    assert complete("crack-sweep measure --mm", tmp_path) == ["--mm-per-pixel"]
    assert "swin_unet_lr" in complete("crack-sweep run ", tmp_path)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_gets_its_program(shell: str):
    assert "crack-sweep" in run_command_line(f"crack-sweep completion {shell}")
