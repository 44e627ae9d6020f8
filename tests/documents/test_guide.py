"""The user's own training guide: each of its commands does what it says.

The guide lies beside the checkout; the list of its commands here is a copy, compared with it where it is there.
"""

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
import torch
from checkout import ROOT, SHARED
from commands import ask, commands, run_command_line, runs_of, serving, train_as
from slow_rest import slow_rest

from src.config.compose import load_config
from src.evaluation import main as evaluate
from src.models.device import cpu_has_bf16
from src.synthetic import write_dataset

GUIDE = SHARED / "training_workflow_guide.md"

TRAINING = [
    "python run.py model=architectures/unet",
    "python run.py model=architectures/swin_unet model.encoder.embed_dim=96 data.batch_size=4",
    "python run.py training.loss=dice_bce",
    "python run.py data.batch_size=4 training.mixed_precision=true training.gradient_accumulation_steps=4",
    "python run.py model=architectures/swin_unet model.encoder.embed_dim=96 data.batch_size=4 "
    "training.optimizer.lr=0.0005 training.loss=dice_focal training.epochs=150 training.mixed_precision=true "
    'experiment_name="swin_unet_v1"',
    "python run.py",
    'python run.py seed=42 training.deterministic=true experiment_name="baseline_experiment"',
    "python run.py training.log_gpu_memory=true data.batch_size=4 training.mixed_precision=true",
    "python run.py data.batch_size=2 data.image_size=[384,384] training.mixed_precision=true",
    "python run.py training.optimizer.lr=0.0001 training.clip_grad_norm=1.0",
    "python run.py training.loss=dice_focal data.augmentation=strong",
    "python run.py data.num_workers=4",
    "python run.py training.mixed_precision=true",
    "python run.py training.gradient_accumulation_steps=4 data.batch_size=2",
]
EVALUATION = [
    "python -m src.evaluation model.checkpoint_path=outputs/experiments/{timestamp}-{config_name}/checkpoints/"
    "best_model.pth evaluation.save_predictions=True",
    "python -m src.evaluation model.checkpoint_path=path/to/checkpoint.pth "
    'evaluation.metrics=["iou", "f1", "precision", "recall"] evaluation.save_confusion_matrix=True',
]
QUALITY = [
    "black --version",
    "ruff --version",
    "basedpyright --version",
    "black .",
    "ruff . --fix",
    "basedpyright .",
    "pytest tests/ --cov=src",
    "basedpyright src/ --strict",
    "black --check .",
    "ruff check .",
    "basedpyright --stats .",
    "pytest tests/ -v --tb=short",
]
TODAY = {
    "ruff . --fix": "ruff check . --fix",  # since ruff 0.5
    "basedpyright src/ --strict": "basedpyright src/",  # strict is the mode in pyproject.toml; the option never was
}
OTHERS = [
    "conda env create -f environment.yml",
    "conda activate torch",
    "cp .env.example .env",
    "tensorboard --logdir outputs/experiments/",
]


def test_the_list_here_holds_every_command_of_the_guide():
    if not GUIDE.is_file():
        pytest.skip("shared/training_workflow_guide.md is not beside this checkout")
    assert set(commands(GUIDE.read_text())) == {*TRAINING, *EVALUATION, *QUALITY, *OTHERS}


@pytest.mark.parametrize("command", slow_rest(TRAINING, 2))
def test_a_training_command_trains_with_what_it_names(
    command: str, tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = train_as(command, tiny, tmp_path / "outputs")
    assert "epoch 1/1" in capsys.readouterr().out
    name = re.search(r'experiment_name="(\w+)"', command)
    assert folder.name.endswith(f"-{name[1] if name else 'crack'}")


def test_the_size_and_the_epochs_of_the_guide_are_taken_too():
    assert load_config(shlex.split(TRAINING[8])[2:]).data.image_size == (384, 384)
    assert load_config(shlex.split(TRAINING[4])[2:]).training.epochs == 150


@pytest.fixture(scope="module")
def five_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The least that can be trained on: 3 pairs to learn from, one to validate, one to test."""
    root = tmp_path_factory.mktemp("five") / "data"
    write_dataset(root, images=5, seed=1, size=512)
    return root


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("command", TRAINING)
def test_a_training_command_runs_in_a_shell(command: str, five_images: Path, tmp_path: Path):
    """At its full size where it names a network or a size."""
    more = f"data.root={five_images} output_root={tmp_path} training.epochs=1"
    emulated = "mixed_precision=true" in command and not (torch.cuda.is_available() or cpu_has_bf16())
    if emulated or not re.search("model=|image_size", command):  # emulated, an epoch at 512x512 takes ten minutes
        more += " data.image_size=[128,128]"
    shell = ["bash", "-c", f"{command} {more}".replace("python", sys.executable)]
    assert "epoch 1/1" in run_command_line(shlex.join(shell), timeout=900)


@pytest.fixture
def run_here(run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run where the guide expects it, seen from the current folder: outputs/experiments/..."""
    monkeypatch.chdir(tmp_path)
    return run_folder


def test_the_first_evaluation_writes_metrics_and_pictures_of_the_predictions(run_here: Path):
    evaluate(shlex.split(EVALUATION[0].replace("{timestamp}-{config_name}", run_here.name))[3:])
    results = run_here / "results" / "test"
    assert (results / "metrics.json").is_file()
    assert len(list((results / "overlays").glob("*.png"))) == len(list((results / "masks").glob("*.png"))) == 3


def test_the_second_evaluation_takes_its_list_as_the_shell_splits_it(
    run_here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "path" / "to").mkdir(parents=True)
    shutil.copy(run_here / "checkpoints" / "best_model.pth", tmp_path / "path" / "to" / "checkpoint.pth")
    capsys.readouterr()
    evaluate(shlex.split(EVALUATION[1])[3:])
    said = capsys.readouterr().out
    assert all(f"\n{name} " in said for name in ("iou", "f1", "precision", "recall"))
    assert (tmp_path / "path" / "to" / "results" / "test" / "confusion_matrix.csv").is_file()


def test_tensorboard_shows_the_run(run_here: Path, tmp_path: Path):
    with serving(OTHERS[-1], cwd=tmp_path) as url:
        name = f"{run_here.name}/logs"
        assert name in runs_of(url, {name})
        tags = ask(url, "/data/plugin/scalars/tags")[name]
        assert {"train/loss", "val/loss", "val/iou", "val/f1", "lr"} <= tags.keys()
        assert "val/predictions" in ask(url, "/data/plugin/images/tags")[name]


@pytest.fixture(scope="module")
def copy_of_the_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout with one file of tests and without what it made, for commands that would change it."""
    copy = tmp_path_factory.mktemp("copy") / "code"
    made = shutil.ignore_patterns(".git", ".venv*", "data", "outputs", "*cache*", ".hypothesis", "*.egg-info")
    # src/data and configs/data are code: only what lies at the top is made
    shutil.copytree(ROOT, copy, ignore=lambda folder, names: made(folder, names) if Path(folder) == ROOT else set())
    (copy / ".venv").symlink_to(sys.prefix)
    for path in (copy / "tests").rglob("test_*.py"):
        if path.name != "test_folders.py":
            path.unlink()
    return copy


@pytest.fixture
def few_files(tmp_path: Path) -> Path:
    """Some files of the code with its settings: `make check` reads all of them."""
    (tmp_path / "src").mkdir()
    for name in ("__init__", "atomic", "errors", "folders"):
        shutil.copy(ROOT / "src" / f"{name}.py", tmp_path / "src")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return Path(shutil.copy(ROOT / "pyproject.toml", tmp_path)).parent


def quality_commands() -> list[object]:
    """Each command; those that take a minute are slow."""
    minutes = [command for command in QUALITY if re.match(r"basedpyright [^-]|basedpyright --stats|pytest", command)]
    return [pytest.param(command, marks=pytest.mark.slow) if command in minutes else command for command in QUALITY]


@pytest.mark.parametrize("command", quality_commands())
def test_a_quality_command_finds_nothing_to_complain_of(command: str, copy_of_the_code: Path, few_files: Path):
    is_test = command.startswith("pytest")
    folder = few_files if command.startswith(("black", "basedpyright")) else copy_of_the_code
    run_command_line(TODAY.get(command, command), *(["-n", "0"] if is_test else []), cwd=folder)


def test_the_example_of_a_dotenv_file_is_there_to_be_copied(copy_of_the_code: Path):
    run_command_line("cp .env.example .env", cwd=copy_of_the_code)
    assert "CRACK_DATA_ROOT" in (copy_of_the_code / ".env").read_text()
