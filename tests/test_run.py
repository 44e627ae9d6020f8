"""``python run.py`` as a user types it."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT
from commands import run_here

import run
from src.check import main as check
from src.config.overrides import save_overrides
from src.errors import run_command
from src.evaluation import main as evaluate
from src.predict import main as predict
from src.prepare import main as prepare
from src.synthetic import write_dataset


def python(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=cwd, capture_output=True, text=True, timeout=120)


def test_a_run_from_another_folder_prints_each_epoch_and_the_evaluation_command(tiny: list[str], tmp_path: Path):
    done = python(str(ROOT / "run.py"), *tiny, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "epoch 1/2" in done.stdout
    assert "epoch 2/2" in done.stdout
    assert "iou " in run_here(done.stdout.splitlines()[-1].removeprefix("evaluate: "))


def test_a_file_of_overrides_stands_for_them(tiny: list[str], tmp_path: Path):
    save_overrides(tiny, tmp_path / "best.yaml")
    shown = python("run.py", str(tmp_path / "best.yaml"), "seed=7", "--show")
    assert "seed: 7" in shown.stdout
    assert "image_size:\n  - 32\n  - 32" in shown.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["training.loss=dice_focl"], "Did you mean 'dice_focal'?"),
        (["training.optimizer.lrr=1"], "Unknown key 'training.optimizer.lrr'"),
        (["data.root=/nowhere"], "No such folder: /nowhere"),
        (["model.encoder.name=resnet35"], "Unknown encoder"),
        (["training.resume_from=/nowhere.pth"], "No such checkpoint: /nowhere.pth"),
        (["training.optimizer.name=adan_"], "Unknown optimizer"),
        (["model.checkpoint_path=best_model.pth"], "use training.resume_from"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    tiny: list[str],
    words: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(sys, "argv", ["run.py", *tiny, *words])
    assert run_command(run.main) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert sentence in said
    assert not (tmp_path / "outputs" / "experiments").exists()


def test_a_mistake_ends_the_process_with_code_2():
    done = python("run.py", "training.loss=dice_focl")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: Unknown option of training.loss 'dice_focl'.")


def test_an_interrupt_is_exit_code_130(monkeypatch: pytest.MonkeyPatch):
    def interrupted(_: list[str]) -> None:
        raise KeyboardInterrupt

    assert run_command(interrupted) == 130


ODD_STEMS = (
    "a b",
    "a=b",
    "Größe",
    "日本語",
    "x,y",
    "[1]",
    "{c}",
    "$HOME",
    "#tag",
    "~z",
    "it's",
    'a"b',
    "-rf",
    "*",
    "[old]",
)


def test_photographs_and_folders_may_have_any_names(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """From a person's folder to predictions, through the commands that are printed on the way."""
    home = tmp_path / "mine [old] = x, Größe 'q' $HOME #1"
    write_dataset(tmp_path / "plain", images=len(ODD_STEMS), seed=1, size=32)
    for kind in ("images", "masks"):
        (home / "photographs" / kind).mkdir(parents=True)
        for stem, path in zip(ODD_STEMS, sorted((tmp_path / "plain").glob(f"*/{kind}/*.png")), strict=True):
            shutil.copy(path, home / "photographs" / kind / f"{stem}.png")
    prepare([str(home / "photographs"), "--out", str(home / "data")])
    check([str(home / "data")])
    own = [word for word in tiny if not word.startswith(("data.root", "data.cache_dir", "output_root"))]
    run.main([*own, f"data.root={home / 'data'}", f"output_root={home}"])
    said = capsys.readouterr().out
    assert f"Wrote {len(ODD_STEMS)} pairs to {home / 'data'};" in said
    assert f"{home}/experiments/" in said
    network = shlex.split(said.splitlines()[-1])[-1]
    evaluate([network, "device=cpu", "evaluation.save_predictions=true"])
    (overlays,) = home.glob("experiments/*/results/test/overlays")
    assert {path.stem for path in overlays.iterdir()} == {path.stem for path in (home / "data/test/images").iterdir()}
    predict([network.partition("=")[2], str(home / "photographs" / "images"), "--out", str(home / "out"), "device=cpu"])
    assert {path.stem for path in (home / "out" / "masks").iterdir()} == set(ODD_STEMS)
