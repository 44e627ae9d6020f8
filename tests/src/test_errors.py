"""Exit codes and words."""

import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT

from src.errors import EXIT_NO_READER, EXIT_USER, Parser, UserError, run_command, unknown

MAKERS = {
    "src": ("prepare", "predict", "evaluation", "synthetic"),
    "sweeps": ("run",),
    "analysis": ("retrain/cli", "leaderboard", "compare"),
}


def test_an_unknown_name_gets_the_nearest_and_all_legal_ones():
    assert (
        str(unknown("loss", "dise", ["bce", "dice"])) == "Unknown loss 'dise'. Did you mean 'dice'? Legal: bce, dice."
    )
    assert str(unknown("loss", "xyz", ["bce"])) == "Unknown loss 'xyz'. Legal: bce."


@pytest.mark.parametrize(
    ("value", "near"),
    [("unet", "architectures/unet"), ("unett", "architectures/unet"), ("architecture/fpn", "architectures/fpn")],
)
def test_the_last_part_of_a_name_is_enough_to_find_it(value: str, near: str):
    names = ["architectures/unet", "architectures/unetplusplus", "architectures/fpn"]
    assert f"Did you mean '{near}'?" in str(unknown("option", value, names))


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (1, 1)])
def test_the_exit_code_is_what_main_returns(returned: int | None, code: int):
    assert run_command(lambda _: returned) == code


def test_a_user_error_is_one_sentence_on_stderr(capsys: pytest.CaptureFixture[str]):
    def main(_: list[str]) -> None:
        raise UserError("Say which.")

    assert run_command(main) == 2
    assert capsys.readouterr().err == "error: Say which.\n"


def test_debug_is_taken_off_the_command_line_and_shows_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    seen: list[list[str]] = []

    def main(argv: list[str]) -> None:
        seen.append(argv)
        raise UserError("Say which.")

    monkeypatch.setattr(sys, "argv", ["run.py", "a=1", "--debug"])
    assert run_command(main) == 2
    assert seen == [["a=1"]]
    assert "Traceback" in capsys.readouterr().err


def test_a_place_that_the_system_refuses_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "argv", ["program"])
    assert run_command(lambda argv: Path("/proc/nowhere/at/all").mkdir()) == EXIT_USER
    assert capsys.readouterr().err == "error: Cannot use /proc/nowhere/at/all: No such file or directory.\n"


@pytest.fixture
def parser() -> Parser:
    parser = Parser()
    parser.add_argument("source")
    parser.add_argument("--out", required=True)
    parser.add_argument("--crack-colour", "--crack-color", nargs="*")
    return parser


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["a", "--out", "b", "--crack-colr", "1"], "Unknown option '--crack-colr'. Did you mean '--crack-color'?"),
        (["a", "--outt=b"], "Unknown option '--outt'. Did you mean '--out'? Legal: --crack-color, --crack-colour,"),
        (["a"], "the following arguments are required: --out"),
        (["a", "--out", "b", "c"], "unrecognized arguments: c"),
        (["a", "--out", "b", "--", "--c", "--d"], "unrecognized arguments: -- --c --d"),
    ],
)
def test_a_mistake_in_a_command_line_is_one_sentence_with_the_nearest_option(
    parser: Parser, words: list[str], sentence: str
):
    with pytest.raises(UserError) as caught:
        parser.parse_args(words)
    assert sentence in str(caught.value)


def test_an_option_may_be_cut_short_and_colour_spelled_as_in_america(parser: Parser):
    assert parser.parse_args(["a", "--ou", "b", "--crack-color", "1"]).crack_colour == ["1"]


def test_every_command_has_these_sentences():
    plain = [
        path
        for room in ("src", "trainable", "sweeps", "analysis")
        for path in (ROOT / room).rglob("*.py")
        if "ArgumentParser(" in path.read_text() and path.name != "errors.py"
    ]
    assert not plain


LINES = 50_000
"""More than a pipe holds."""

PRINTS = f"""
import sys
from pathlib import Path
from src.errors import outlive_reader, run_command

def main(argv):
    if argv[1:]:
        outlive_reader()
    for number in range({LINES}):
        print(number)
    Path(argv[0]).write_text("made")

sys.exit(run_command(main))
"""


def read_a_line(words: list[str], both: bool = False) -> tuple[int, str]:
    """A command as before ``| head -1`` (``2>&1 |`` if both): its exit code, and what it still says on stderr."""
    stderr = subprocess.STDOUT if both else subprocess.PIPE
    with subprocess.Popen([sys.executable, *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=stderr, text=True) as run:
        assert run.stdout
        assert run.stdout.readline()
        run.stdout.close()
        said = run.stderr.read() if run.stderr else ""
    return run.returncode, said


def test_a_command_that_only_prints_ends_quietly_when_nobody_reads_it(tmp_path: Path):
    assert read_a_line(["-c", PRINTS, str(tmp_path / "file")]) == (EXIT_NO_READER, "")
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("both", [False, True])
def test_a_command_that_makes_something_goes_on_when_nobody_reads_it_and_says_so_once(tmp_path: Path, both: bool):
    code, said = read_a_line(["-c", PRINTS, str(tmp_path / "file"), "goes on"], both)
    assert (code, (tmp_path / "file").read_text()) == (0, "made")
    assert len(said.splitlines()) == (0 if both else 1)


def test_the_last_lines_without_a_reader_are_no_traceback(tmp_path: Path):
    line = f"{sys.executable} -c 'import sys; from src.errors import run_command as r; sys.exit(r(lambda _: print(1)))'"
    script = f"{{ sleep 0.1; {line}; echo $? >{tmp_path / 'code'}; }} 2>{tmp_path / 'said'} | true"
    subprocess.run(["bash", "-c", script], cwd=ROOT, check=True)
    assert ((tmp_path / "code").read_text(), (tmp_path / "said").read_text()) == (f"{EXIT_NO_READER}\n", "")


def test_every_command_that_makes_something_outlives_its_reader():
    places = [ROOT / "run.py", *(ROOT / room / f"{name}.py" for room in MAKERS for name in MAKERS[room])]
    assert not [path for path in places if "    outlive_reader()\n" not in path.read_text()]


def test_a_command_that_leaves_has_said_everything_and_keeps_its_exit_code():
    code = "import sys; from src.errors import leave; print('said'); print('lost?', end='', file=sys.stderr); leave(3)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (3, "said\n", "lost?")


def test_a_key_where_an_option_is_meant_is_told_how_it_is_spelt_there():
    parser = Parser()
    parser.add_argument("--output-root")
    with pytest.raises(UserError, match="--output-root /tmp/x"):
        parser.parse_args(["output_root=/tmp/x"])
    other = Parser()
    other.add_argument("overrides", nargs="*")
    with pytest.raises(UserError, match=r"data\.root=VALUE"):
        other.parse_args(["seed=1", "--data-root", "x"])
