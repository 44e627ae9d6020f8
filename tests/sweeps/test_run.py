"""The command line of a sweep: what it refuses before anything slow."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT
from finished import FinishedSweep

from src.errors import UserError
from sweeps.run import main
from sweeps.writer import locked


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["quikstart"], "Did you mean 'quickstart'"),
        ([], "Which spec"),
        (["swin_unet_lr", "data.root=/nowhere"], "No such folder: /nowhere"),
        (["swin_unet_lr", "training.optimizer.lrr=1"], "Unknown key"),
        (["swin_unet_lr", "training.loss=dise"], "Unknown option"),
        (["swin_unet_lr", "training.epochs=3"], "--max-epochs"),
        (["swin_unet_lr", "threads=2"], "--trials-at-once"),
        (["swin_unet_lr", "training.optimizer.lr=7"], "training.optimizer.lr=7"),
        (["quickstart", "training/loss=bce"], "training.loss"),
        (["swin_unet_lr", "++training.epochs=3"], "--max-epochs"),
        (["swin_unet_lr", "experiment_name=mine"], "experiment_name"),
        (["swin_unet_lr", "training.resume_from=last.pth"], "training.resume_from"),
        (["quickstart", "data.root=data/typo"], "No such folder: data/typo"),
        (["swin_unet_lr", "--max-epochs", "0"], "--max-epochs=0"),
        (["swin_unet_lr", "--trials", "0"], "trials=0"),
        (["swin_unet_lr", "datas"], "is not an override"),
        (["quickstart", "device=cpu", "--gpus", "2"], "gpus=2"),
        (["swin_unet_lr", "--gpus", "0"], "gpus=0"),
        (["swin_unet_lr", "--gpu-memory", "8"], "--dry-run"),
        (["swin_unet_lr", "--gpu-memory", "-1", "--dry-run"], "--gpu-memory=-1.0"),
        (["swin_unet_lr", "--gpu-memory", "nan", "--dry-run"], "--gpu-memory=nan"),
        (["swin_unet_lr", "--gpu-memory"], "--gpu-memory"),
        (["quickstart", "--gpu-memory", "8", "--dry-run", "device=cpu"], "device=cpu"),
        (["quickstart", "--output-root", "x"], "output_root=VALUE"),
        (["quickstart", "--seed", "-1"], "--seed=-1"),
        (["quickstart", "--resume", "--fresh"], "--resume and --fresh"),
        (["quickstart", "--extend", "0"], "--extend=0"),
        (["quickstart", "--extend", "3", "--trials", "9"], "--extend and --trials"),
        (["quickstart", "--extend", "3", "--warm-start", "other"], "--extend and --warm-start"),
        (["quickstart", "--dry-run", "--resume"], "--resume and --dry-run"),
        (["quickstart", "--dry-run", "--accept-changes"], "--resume or --extend"),
        (["quickstart", "--dry-run", "--extend", "3", "output_root=/nowhere"], "/nowhere"),
        (["quickstart", "--check", "--fresh"], "--check and --fresh"),
        (["quickstart", "--accept-changes"], "--resume or --extend"),
        (["quickstart", "--warm-start", "other"], "--warm-start=other"),
        (["quickstart", "--warm-start", "outputs/other/"], "--warm-start=outputs/other/"),
        (["quickstart", "--name", "../other"], "--name=../other"),
        (["quickstart", "--trails", "3"], "Unknown option '--trails'. Did you mean '--trials'?"),
        (["quickstart", "--trials", "many"], "'many'; --help"),
        (["quickstart", "--check"], "outputs/sweeps/quickstart"),
    ],
)
def test_a_mistake_is_named_before_ray_starts(
    words: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)  # importing it now fails
    with pytest.raises(UserError, match=re.escape(sentence)):
        main(words)
    assert not (tmp_path / "outputs" / "sweeps").exists()


def test_going_on_needs_a_sweep(tmp_path: Path):
    with pytest.raises(UserError, match=f"{tmp_path}.*--resume"):
        main(["quickstart", f"output_root={tmp_path}", "--resume"])
    assert not list(tmp_path.iterdir())


def test_a_sweep_by_its_folders_name_is_told_how_to_be_called(finished_sweep: FinishedSweep):
    where = f"output_root={finished_sweep.output_root}"
    with pytest.raises(UserError) as refused:
        main(["tiny_sweep", where, "--resume"])
    command = shlex.split(str(refused.value).partition("Use: ")[2])
    assert command == ["python", "-m", "sweeps.run", "quickstart", where, "--name", "tiny_sweep", "--resume"]


def test_what_a_sweep_is_written_by_is_said_before_anything_else(finished_sweep: FinishedSweep, tmp_path: Path):
    folder = tmp_path / "sweeps" / "mine"
    folder.mkdir(parents=True)
    with locked(folder):
        for words in ([], ["--fresh"]):
            with pytest.raises(UserError, match=f"process {os.getpid()}"):
                main(["quickstart", f"output_root={tmp_path}", "--name", "mine", "data.root=nowhere", *words])


def test_a_sweep_of_an_older_version_is_refused(tmp_path: Path):
    folder = tmp_path / "sweeps" / "quickstart"
    folder.mkdir(parents=True)
    (folder / "sweep.yaml").write_text("old")
    with pytest.raises(UserError, match=r"--name OTHER.*--fresh"):
        main(["quickstart", f"output_root={tmp_path}"])


def test_help_and_list_import_nothing_heavy():
    heavy = "sorted({'torch', 'ray', 'hydra'} & set(sys.modules))"
    code = f"import sys; from sweeps.run import main; main(['--list']); print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "\nquickstart " in done.stdout
