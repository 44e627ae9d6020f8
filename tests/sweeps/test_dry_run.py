"""What a sweep would take, asked before anything is spent."""

import re
import shutil
from pathlib import Path

import pytest
from finished import FinishedSweep

from src.errors import UserError
from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.neighbours import announced
from sweeps.run import main
from trainable.resources import share_machine


def sweep_words(tiny: list[str]) -> list[str]:
    return [word for word in tiny if not word.startswith(("training.epochs=", "threads="))]


def test_a_dry_run_prints_the_plan_and_leaves_nothing(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["quickstart", *sweep_words(tiny), "--dry-run", "--trials", "7"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"^Checked 6 configurations .* each of their 3 different networks", said, re.MULTILINE)
    assert "7 trials, about" in said
    assert "an epoch takes" in said
    assert not (tmp_path / "outputs" / "sweeps").exists()


def content_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a folder: when it was written, and what it holds."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_a_dry_run_of_more_trials_says_what_they_cost_and_changes_nothing(
    finished_sweep: FinishedSweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    sweeps = tmp_path / "sweeps"
    shutil.copytree(finished_sweep.folder, sweeps / "mine", ignore=shutil.ignore_patterns("ray", "logs"))
    before = content_of(sweeps)
    words = ["quickstart", f"output_root={tmp_path}", "--name", "mine", "--extend", "6", "--dry-run"]
    assert main(words) == 0
    said = capsys.readouterr().out
    ledger = Ledger(sweeps / "mine" / LEDGER_FILE, read_only=True)
    done = sum(row["epochs"] for row in ledger.trials())
    ledger.close()
    (to_come,) = re.findall(rf": 4 trials, {done} epochs\nremaining: 6 trials, about (\d+) epochs", said)
    assert int(to_come) >= 6
    assert "10 trials, about" in said
    assert "for the remaining trials" in said
    assert content_of(sweeps) == before
    with pytest.raises(UserError, match=r"fixed: training.ema_decay: nothing -> 0.9"):
        main([*words, "training.ema_decay=0.9"])
    assert content_of(sweeps) == before


@pytest.mark.slow
def test_a_dry_run_for_a_card_that_is_not_here_says_what_networks_need_of_it(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = [word for word in sweep_words(tiny) if word != "device=cpu"]
    planned = ["quickstart", *words, "--dry-run", "--gpu-memory"]
    assert main([*planned, "8"]) == 0
    said = capsys.readouterr().out
    needed = re.findall(r"^  training\.loss=(\w+): (\d+) MiB$", said, re.MULTILINE)
    assert {name for name, _ in needed} == {"bce", "dice_bce", "dice_focal"}
    assert "1 at once, each on a graphics card that is not here, 8.0 GiB" in said
    assert "an epoch takes" not in said
    with pytest.raises(UserError, match=r"training\.loss=bce .*\d+ MiB"):
        main([*planned, "0.8"])  # a context and what the desktop has leave nothing
    assert not (tmp_path / "outputs" / "sweeps").exists()


def test_another_sweep_on_the_machine_is_told_of_where_an_epoch_is_measured(
    tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with announced("another", share_machine(None)):
        assert main(["quickstart", *sweep_words(tiny), "--dry-run", "--trials", "2"]) == 0
    assert "another (process" in capsys.readouterr().out
