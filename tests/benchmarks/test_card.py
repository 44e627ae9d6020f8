"""The card check: its processes, its limits and its table; and a dry run of its sections."""

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from checkout import ROOT
from commands import commands
from torch import Tensor

from benchmarks.card import __main__ as card
from benchmarks.card import runs
from benchmarks.card.bench import Bench, repeat
from benchmarks.card.memory import fill_card, predictions
from benchmarks.card.place import Place, read_figures
from benchmarks.card.processes import is_alive
from benchmarks.card.table import RULES, as_markdown, as_text, table_rows
from src.config.keys import list_options
from src.errors import EXIT_FAILED, EXIT_USER, UserError, run_command
from src.scoring.inference import to_network
from src.synthetic import write_dataset

GUIDE = (ROOT / "docs" / "guides" / "graphics_card.md").read_text()
COMMANDS = [line for line in commands(GUIDE) if "benchmarks.card" in line]


def dry_run(out: Path, *sections: str) -> dict[str, Any]:
    """The content of card.json after the real command."""
    command = [sys.executable, "-m", "benchmarks.card", "--dry", "--out", str(out), *sections]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All sections ran to their end." in done.stdout
    return json.loads((out / "card.json").read_text())


def fake(code: str) -> Any:
    """Sections that run this Python code; it has ``note(figure, value)`` and the section's ``name``."""

    def command(place: Place, name: str, findings: Path) -> list[str]:
        start = f"import json, subprocess, time\nname, path, found = {name!r}, {str(findings)!r}, dict()\n"
        note = "def note(figure, value): found[figure] = value; open(path, 'w').write(json.dumps(found))\n"
        return [sys.executable, "-c", start + note + code]

    return patch.object(runs, "section_command", command)


def real_run(out: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """The exit code and card.json of a check that believes to have a card."""
    with patch.object(card, "about_card", lambda _: {"card": "a card", "torch": "2.11.0"}):
        code = card.main(["--out", str(out), *words])
    return code, json.loads((out / "card.json").read_text())


@pytest.mark.slow
def test_a_dry_run_of_a_section_ends_well_and_claims_no_number(tmp_path: Path):
    found = dry_run(tmp_path / "new" / "out", "scores")
    assert found["sections"]["scores"]["state"] == "ended"
    assert found["sections"]["scores"]["figures"]["difference.float32.native"] == 0.0
    rows = [line for line in (tmp_path / "new" / "out" / "card.md").read_text().splitlines() if "| scores" in line]
    assert len(rows) == 5
    assert all("| dry |" in row for row in rows)


def test_what_does_not_fit_is_healed_and_its_errors_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def limited(images: Tensor, *more: Any) -> Any:
        if len(images) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return to_network(images, *more)

    monkeypatch.setattr("src.training.trainer.to_network", limited)
    place = Place(tmp_path, tmp_path / "heal.json", dry=True, memory_gib=8.0)
    fill_card(Bench(**vars(place)), "unet", [], 32)
    found = read_figures(place.findings)
    assert found["unet.micro_batch"] == 1
    assert found["unet.errors"] == ["2: OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_dry_run_of_all_sections_ends_well(tmp_path: Path):
    found = dry_run(tmp_path)["sections"]
    assert list(found) == list(runs.SHARES)
    assert {result["state"] for result in found.values()} == {"ended"}
    assert all(result["figures"] for result in found.values())
    assert not any(result["figures"].get("failed") for result in found.values())
    assert found["sweep"]["figures"]["resumed"] == found["sweep"]["figures"]["checked"] == 0
    assert found["deterministic"]["figures"]["same_resumed"] is True
    assert found["kill"]["figures"]["processes_left"] == 0


def test_a_section_that_dies_is_named_with_its_error_and_the_others_are_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    code = "note('waits_a_step', 0)\nif name == 'numbers': raise RuntimeError('CUDA error: no good')\n"
    with fake(code):
        exit_code, found = real_run(tmp_path, "numbers", "packing")
    assert exit_code == EXIT_FAILED
    assert found["sections"]["numbers"]["state"] == "failed"
    assert found["sections"]["numbers"]["error"].endswith("RuntimeError: CUDA error: no good")
    assert found["sections"]["numbers"]["figures"] == {"waits_a_step": 0}
    assert found["sections"]["packing"]["state"] == "ended"
    said = capsys.readouterr().out
    assert "NOT as it must be: numbers failed" in said
    assert "no good" in (tmp_path / "card.md").read_text()


@pytest.mark.slow
def test_a_section_over_its_limit_is_ended_with_its_children_and_keeps_what_it_found(tmp_path: Path):
    code = "child = subprocess.Popen(['sleep', '60']); note('child', child.pid); time.sleep(60)"
    place = Place(tmp_path, tmp_path / "main.json", True, 8.0)
    with fake(code):
        result = runs.run_section(place, "kill", 3.0)
    assert result["state"] == "failed"
    assert result["error"] == "longer than 3 s: it printed nothing"
    for _ in range(50):
        if not is_alive(result["figures"]["child"]):
            break
        time.sleep(0.1)
    assert not is_alive(result["figures"]["child"])


def test_what_no_longer_fits_into_the_time_of_all_is_left_out_by_name(tmp_path: Path):
    with fake(""):
        code, found = real_run(tmp_path, "heal", "kill", "--minutes", str((runs.LEAST_SECONDS - 1) / 60))
    assert code == EXIT_FAILED
    assert [result["state"] for result in found["sections"].values()] == ["left out"] * 2
    assert "| kill | left out |" in (tmp_path / "card.md").read_text()


def test_a_section_may_use_the_time_that_those_before_it_did_not_need(tmp_path: Path):
    given = dict[str, float]()

    def spend(_: Place, name: str, limit: float) -> runs.Result:
        given[name] = limit
        return {"state": "ended"}

    place = Place(tmp_path, tmp_path / "main.json", False, 8.0)
    with patch.object(runs, "run_section", spend):
        runs.run_sections(place, {"kill": [], "scores": [], "packing": []}, time.perf_counter() + 100, lambda *_: None)
    assert given == {
        "kill": pytest.approx(25, abs=1),
        "scores": pytest.approx(100 / 3, abs=1),
        "packing": pytest.approx(100, abs=1),
    }


def test_the_shares_are_seconds_of_the_minutes_that_all_sections_have():
    assert sum(runs.SHARES.values()) == 60 * runs.MINUTES
    assert set(RULES) == set(runs.SHARES)


@pytest.mark.slow
def test_a_part_of_a_section_is_done_alone(tmp_path: Path):
    code, content = real_run(tmp_path, "--dry", "speed.histogram")
    found = content["sections"]["speed"]
    assert code == 0
    assert found["parts"] == ["histogram"]
    assert set(found["figures"]) == {"import_seconds", "failed", "histogram.bincount_ms", "histogram.scatter_add_ms"}


@pytest.mark.slow
def test_a_part_that_a_section_does_not_have_is_told_with_those_that_it_has(tmp_path: Path):
    code, content = real_run(tmp_path, "--dry", "numbers.gradients")
    assert code == EXIT_FAILED
    error = content["sections"]["numbers"]["error"]
    assert "'gradients'" in error
    assert "learning, steps" in error


@pytest.mark.parametrize(
    ("words", "sections"),
    [
        (["heal.dpt", "kill", "heal.unet", "heal.dpt"], {"heal": ["dpt", "unet"], "kill": []}),
        (["heal.dpt", "heal"], {"heal": []}),
    ],
)
def test_parts_are_gathered_by_section(words: list[str], sections: dict[str, list[str]]):
    assert card.by_section(words) == sections


def test_a_check_of_parts_does_not_miss_the_others():
    result = {"figures": {"same_twice": True}, "state": "ended", "parts": ["same"]}
    assert [row.figure for row in table_rows("deterministic", result, False)] == ["same_twice"]


@pytest.mark.parametrize(
    ("section", "figure", "good", "wrong"),
    [
        ("numbers", "iou_below_float32.bf16", -0.01, 0.021),
        ("numbers", "gradient_error.float32", 0.001, float("nan")),
        ("numbers", "waits_a_step", 0, 3),
        ("heal", "failed", [], ["unet: RuntimeError: GET was unable to find an engine"]),
        ("heal", "unet.micro_batch", 4, 32),
        ("speed", "unet_512_b4.ratio", 0.951, 0.949),
        ("deterministic", "same_twice", True, False),
        ("deterministic", "refused_but_not_listed", [], ["model=architectures/fpn"]),
        ("memory", "dpt.above_bound_mib", -3.0, 1.0),
        ("packing", "unet_512_b4.x4.halved", [], [2]),
        ("sweep", "seconds_until_free", 5.9, None),
        ("kill", "processes_left", 0, 1),
        ("scores", "difference.float32.native", 1e-5, 1e-3),
    ],
)
def test_the_table_tells_a_wrong_figure_from_a_right_one(section: str, figure: str, good: object, wrong: object):
    for value, verdict in ((good, "ok"), (wrong, "NOT")):
        row = table_rows(section, {"figures": {figure: value}, "state": "ended"}, False)[0]
        assert (row.figure, row.verdict) == (figure, verdict)
        assert row.must in as_text([row])
        assert f"| {row.must} | {verdict} |" in as_markdown([row])


def test_a_figure_without_a_rule_is_only_shown():
    (row,) = [row for row in table_rows("speed", {"figures": {"trial.ratio": 0.1}, "state": "ended"}, False)[:1]]
    assert (row.value, row.must, row.verdict) == ("0.1", "-", "-")


def test_a_required_figure_that_was_not_measured_is_not_right():
    rows = table_rows("kill", {"figures": {"mib_in_use": 900.0}, "state": "ended"}, False)
    assert [row.verdict for row in rows] == ["ok", "NOT", "NOT"]
    assert rows[-1].value == "not measured"


@pytest.mark.parametrize(("seconds", "code"), [(1.0, 0), (7.0, EXIT_FAILED)])
def test_the_exit_code_says_whether_all_figures_are_right(tmp_path: Path, seconds: float, code: int):
    notes = f"note('mib_in_use', 900.0); note('seconds_until_free', {seconds}); note('processes_left', 0)"
    with fake(notes):
        assert real_run(tmp_path, "kill")[0] == code
    table = (tmp_path / "card.md").read_text()
    assert ("| NOT |" in table) == bool(code)
    assert table.startswith("- card: a card\n- torch: 2.11.0\n")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nunbers"], "Unknown section 'nunbers'. Did you mean 'numbers'? Legal: "),
        (["--out", "FILE"], "is a file; legal: a folder"),
        (["--memory-gib", "0"], "--memory-gib=0: legal are numbers above 0."),
        (["--minutes", "inf"], "--minutes=inf: legal are numbers above 0."),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    words: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "file").write_text("")
    words = [str(tmp_path / "file") if word == "FILE" else word for word in words]
    with patch.object(sys, "argv", ["card", "--out", str(tmp_path / "out"), *words]):
        assert run_command(card.main) == EXIT_USER
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


def test_without_a_card_a_real_check_is_refused_before_anything_is_spent(tmp_path: Path):
    with (
        patch.object(card, "about_card", lambda _: {"card": None}),
        pytest.raises(UserError, match="no graphics card that it can use"),
    ):
        card.main(["--out", str(tmp_path), "kill"])


def test_a_part_that_fails_is_listed_and_the_next_goes_on(tmp_path: Path):
    bench = Bench(tmp_path, tmp_path / "found.json", True, 8.0)
    bench.attempt("first", lambda: bench.note("a", 1 // 0))
    bench.attempt("second", lambda: bench.note("b", 2))
    found = read_figures(bench.findings)
    assert found["b"] == 2
    (line,) = found["failed"]
    assert line.startswith("first: ZeroDivisionError: ")
    assert " by zero (test_card.py:" in line
    rows = table_rows("speed", {"figures": found, "state": "ended"}, dry=True)
    assert {row.figure: row.verdict for row in rows} == {"failed": "NOT", "b": "dry"}


def test_figures_are_kept_one_by_one(tmp_path: Path):
    place = Place(tmp_path, tmp_path / "found.json", True, 8.0)
    assert read_figures(place.findings) == {}
    place.note("a", 1)
    place.note("b", [2.5])
    assert read_figures(place.findings) == {"a": 1, "b": [2.5]}


def test_every_architecture_has_a_prediction():
    assert sorted(predictions()) == sorted(list_options("model"))


def test_nobodys_settings_reach_a_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CRACK_DATA_ROOT", "/elsewhere")
    dry, real = (runs.environment(Place(tmp_path, tmp_path, dry, 8.0)) for dry in (True, False))
    assert "CRACK_DATA_ROOT" not in dry
    assert dry["CUDA_VISIBLE_DEVICES"] == ""
    assert real.get("CUDA_VISIBLE_DEVICES") == os.environ.get("CUDA_VISIBLE_DEVICES")


def test_repeated_images_stand_in_their_own_split_with_their_masks(tmp_path: Path):
    write_dataset(tmp_path / "data", images=20, seed=1, size=32)
    repeat(tmp_path / "data", 3)
    counts = {kind: len(list((tmp_path / "data" / "train" / kind).glob("*.png"))) for kind in ("images", "masks")}
    assert counts == {"images": 42, "masks": 42}


def test_the_guide_names_the_sections_in_their_order_with_their_shares():
    rows = [line.split("|")[1:3] for line in GUIDE.splitlines() if line.startswith("| `")]
    assert [(name.strip(" `"), int(limit)) for name, limit in rows] == list(runs.SHARES.items())


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_of_the_guide_are_legal(command: str):
    words = shlex.split(command.rpartition("&& ")[2])
    assert words[1:3] in (["-m", "benchmarks.card"], ["-m", "benchmarks.card_bundle"])
    if words[2] == "benchmarks.card":
        assert card.parse(words[3:]).out == Path("outputs/card")
    else:
        assert len(words) == 4
