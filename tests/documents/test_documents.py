"""Every command in the README and the guides, run as it stands there with tiny sizes appended."""

import csv
import importlib
import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np
import pytest
from checkout import ROOT
from commands import ask, commands, run_command_line, run_here, runs_of, serving, train_as
from exports import trained
from finished import FinishedSweep
from geotiffs import write_geotiff
from made_up_search import SPACE, make, play
from slow_rest import slow_rest

from analysis.results import read_folder
from run import main as train_one
from src.cards import Card
from src.config.compose import compose
from src.data.masks import read_mask
from src.errors import UserError
from src.evaluation import main as evaluate
from src.measuring.severity import FOLDER as SEVERITIES
from src.measuring.severity import load_severity
from src.predict import main as predict
from sweeps.export import export
from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.plan import SweepPlan
from sweeps.run import main as sweep_main
from sweeps.spec import Asha, Budget, SweepSpec
from tests.benchmarks.test_card import COMMANDS as CARD_CHECK
from tests.documents.test_guide import QUALITY, TODAY
from trainable.packing import Throughput


def commands_in(path: Path) -> list[str]:
    return commands(path.read_text())


README = commands_in(ROOT / "README.md")
CHECKPOINT = "outputs/experiments/RUN/checkpoints/best_model.pth"
FROM_A_NETWORK = [line for line in commands_in(ROOT / "docs" / "guides" / "fine_tuning.md") if "run.py" in line]
LABELLING = commands_in(ROOT / "docs" / "guides" / "labelling.md")
LIKE = "python -m src.prepare DOWNLOADED --like cracksc --out data/cracksc"
STARTS = ["python -m sweeps.run starts.py"]
ENSEMBLES = [line for line in commands_in(ROOT / "docs" / "guides" / "answer.md") if ".pth" in line]
ALL_GUIDES = [line for path in sorted((ROOT / "docs").rglob("*.md")) for line in commands_in(path)]
GUIDES = [line for line in ALL_GUIDES if line not in [*ENSEMBLES, *LABELLING]]


def tiny_sweep(tiny: list[str]) -> list[str]:
    """``tiny`` for a swin_unet sweep: its own network, no threads or epochs of a single run."""
    return [word for word in tiny if not word.startswith(("model.", "threads=", "training.epochs="))]


def test_the_readme_shows_the_commands_it_must():
    usual = {"make sweep", "make demo DATA=PHOTOS", "retrain-best swin_unet_lr", "tensorboard --logdir outputs/sweeps"}
    assert usual <= set(README)


@pytest.mark.parametrize(
    "command", sorted({line for line in [*README, *commands("CONTRIBUTING.md")] if line.startswith("make ")})
)
def test_every_make_target_of_the_readme_exists(command: str):
    subprocess.run([*shlex.split(command), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.slow
def test_the_demo_goes_from_photographs_to_a_report(tiny_data: Path, tmp_path: Path):
    small = "DEMO=data.root=outputs/demo --trials 2 --max-epochs 3 data.image_size=[32,32]"
    words = ["make", "-f", str(ROOT / "Makefile"), "-o", "install", "demo", f"BIN={Path(sys.executable).parent}", small]
    refused = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert refused.returncode == 2
    assert "make demo DATA=FOLDER" in refused.stderr
    done = subprocess.run([*words, f"DATA={tiny_data}"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "outputs" / "sweeps" / "demo" / "report" / "report.html").is_file()
    assert "source .venv/bin/activate" in done.stdout


def test_the_documents_become_a_site_whose_links_lead_somewhere(tmp_path: Path):
    for name in ("Makefile", "zensical.toml", "LICENSE", *(path.name for path in ROOT.glob("*.md"))):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    subprocess.run(["make", "-o", "install", "site", f"BIN={Path(sys.executable).parent}"], cwd=tmp_path, check=True)
    pages = {path.parent.name for path in (tmp_path / "build" / "site").rglob("index.html")}
    assert {path.stem for path in (ROOT / "docs" / "guides").glob("*.md")} <= pages
    navigation = (ROOT / "zensical.toml").read_text()
    assert all(f'"docs/guides/{path.name}"' in navigation for path in (ROOT / "docs" / "guides").glob("*.md"))


SINGLE_RUNS = [line for line in [*README, *GUIDES] if line.startswith("python run.py") and line not in FROM_A_NETWORK]


@pytest.mark.parametrize("command", SINGLE_RUNS)
def test_the_single_runs_of_the_documents_are_configurations(command: str, tiny: list[str]):
    words = [word for word in shlex.split(command)[2:] if word != "--show"]
    compose([*words, tiny[-1]]).check()


@pytest.mark.parametrize("command", slow_rest(SINGLE_RUNS))
def test_the_single_runs_of_the_documents_run(command: str, tiny: list[str], tmp_path: Path):
    if "--show" in command:
        assert "image_size:" in run_command_line(command, *tiny)
    else:
        train_as(command, tiny, tmp_path / "outputs")


def test_every_command_of_the_guides_is_run_by_a_test():
    here = tuple(
        f"python {name}"
        for name in (
            "run.py",
            *(f"-m src.{name}" for name in ("evaluation", "predict", "synthetic", "export", "measure", "label")),
        )
    )
    elsewhere = {*QUALITY, *TODAY.values(), "basedpyright", "tensorboard --logdir outputs/experiments/"}
    elsewhere |= {*LONG, WARM, f"{SWEEP} --dry-run", "retrain-best swin_unet_lr", *LOOK, COMPARE, DASHBOARD}
    elsewhere |= {
        EXECUTE,
        PREPARE,
        LIKE,
        FIND,
        CHECK,
        *OWN,
        *ON_CARDS,
        RETRAINED_ON_CARDS,
        *PLANNED,
        *CARDS,
        *CARD_CHECK,
        *STARTS,
    }
    elsewhere |= {*LABELLING, *commands_in(ROOT / "docs" / "guides" / "several_machines.md")}  # the latter: in its test
    readme = [line for line in README if not line.startswith(("make ", "tensorboard", "python -m sweeps.run"))]
    assert not [line for line in [*readme, *GUIDES] if not line.startswith(here) and line not in elsewhere]


@pytest.fixture(scope="module")
def finished_run(trained_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``outputs/experiments/RUN`` in it, as the guides call a run."""
    folder = tmp_path_factory.mktemp("guides")
    shutil.copytree(trained_run, folder / "outputs" / "experiments" / "RUN")
    return folder


def test_a_network_is_trained_from_another_as_the_guide_says(
    finished_run: Path, tiny: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(finished_run)
    (command,) = FROM_A_NETWORK
    words = [word for word in shlex.split(command)[2:] if not word.startswith("data.root")]
    train_one([*words, *tiny, "training.epochs=1"])
    (about,) = Path(tiny[-1].partition("=")[2]).glob("experiments/*-second/provenance.json")
    assert json.loads(about.read_text())["init_from"]["not_loaded"] == []


@pytest.mark.slow
def test_the_sweep_over_starts_of_the_guide_is_run_and_notices_another_file(
    finished_run: Path, tiny: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(finished_run)
    guide = ROOT / "docs" / "guides" / "fine_tuning.md"
    (example,) = re.findall(r"```python\n(.*?)```", guide.read_text(), re.DOTALL)
    Path("starts.py").write_text(example)
    (command,) = STARTS
    small = [word for word in tiny if not word.startswith(("threads=", "training.epochs="))]
    words = [*small, "--trials", "3", "--max-epochs", "9", "--trials-at-once", "1"]
    said = run_here(command, *words)
    folder = Path(tiny[-1].partition("=")[2]) / "sweeps" / "starts"
    abouts = [json.loads(path.read_text()) for path in folder.glob("t*/provenance.json")]
    assert {"init_from" in about for about in abouts} == {True, False}
    assert "retrain-best" in said
    network = Path(CHECKPOINT)
    network.write_bytes(network.with_name("last.pth").read_bytes() + b"more")
    with pytest.raises(UserError, match="weights: "):
        run_here(command, f"output_root={folder.parents[1]}", "--extend", "1")


@pytest.mark.parametrize(
    "command", [line for line in [*README, *GUIDES] if line.startswith("python -m src.evaluation")]
)
def test_the_evaluations_of_the_guides_run(command: str, finished_run: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(finished_run)
    evaluate(shlex.split(command.replace("CHECKPOINT", CHECKPOINT))[3:])
    split = "val" if "split=val" in command else "test"
    written = f"{split}-flips" if "tta=flips" in command else split
    assert (Path("outputs/experiments/RUN/results") / written / "metrics.json").is_file()


@pytest.mark.parametrize("command", [line for line in [*README, *GUIDES] if line.startswith("python -m src.predict")])
def test_the_predictions_of_the_guides_run(
    command: str, finished_run: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(finished_run)
    command = command.replace("CHECKPOINT", CHECKPOINT).replace("PHOTOS", str(tiny_data / "test" / "images"))
    predict(shlex.split(command)[3:])
    assert len(list(Path("predictions/masks").iterdir())) == len(list(Path("predictions/overlays").iterdir())) == 3


MEASURES = ["python -m src.measure predictions", *commands_in(ROOT / "docs" / "guides" / "measuring.md")]


@pytest.mark.parametrize("command", sorted(set(MEASURES)))
def test_masks_are_measured_as_the_documents_say(
    command: str, tiny_data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    assert MEASURES[0] in README
    for path in (tiny_data / "test" / "masks").iterdir():
        write_geotiff(tmp_path / "predictions" / "masks" / f"{path.stem}.tif", read_mask(path) * np.uint8(255))
    monkeypatch.chdir(tmp_path)
    run_here(command)
    assert len(list(Path("measures/overlays").iterdir())) == 3
    assert Path("measures/cracks.geojson").is_file() == ("--geojson" in command)


def test_predictions_are_corrected_and_trained_on_as_the_guide_says(
    finished_run: Path, tiny: list[str], tiny_data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    network = finished_run / CHECKPOINT
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_data / "test" / "images", "PHOTOS")
    for path in list(Path("PHOTOS").iterdir()):
        path.rename(path.with_stem(f"new{path.stem}"))
    predicting, labelling, labelme, preparing, training = LABELLING
    assert labelling in README
    assert labelme == "labelme to_correct"  # a program of its own
    run_here(predicting.replace("CHECKPOINT", str(network)), "--threshold", "0.3")
    run_here(labelling)
    run_here(preparing.replace("data/mine", str(tiny_data)))
    assert len(list(Path("data/second/train/images").glob("new*"))) == 3
    words = [word for word in tiny if not word.startswith("data.root")]
    train_one([*shlex.split(training.replace("CHECKPOINT", str(network)))[2:], *words, "training.epochs=1"])


def test_a_public_set_is_prepared_as_the_guide_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    random, drawn = np.random.default_rng(0), np.zeros((40, 40), np.uint8)
    drawn[20] = 255
    for number in range(6):
        pictures = {"image": random.integers(0, 255, (40, 40, 3), dtype=np.uint8), "label": drawn}
        for folder, picture in pictures.items():
            Path("DOWNLOADED", folder).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(f"DOWNLOADED/{folder}/{number}.png", picture)
    assert LIKE in commands_in(ROOT / "docs" / "guides" / "data.md")
    run_here(LIKE)
    assert len(list(Path("data/cracksc").glob("*/images/*"))) == 6


def test_the_bands_of_the_guide_are_bands(tmp_path: Path):
    guide = (ROOT / "docs" / "guides" / "measuring.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    (tmp_path / "mine.yaml").write_text(example)
    assert load_severity(str(tmp_path / "mine.yaml")).names == ["fine", "open", "gaping"]
    assert all(f"`{path.stem}`" in guide for path in SEVERITIES.glob("*.yaml"))


def test_a_network_is_exported_as_the_guide_says(finished_run: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(finished_run)
    (command,) = commands_in(ROOT / "docs" / "guides" / "export.md")
    photographs = tiny_data / "val" / "images"
    run_here(command.replace("CHECKPOINT", CHECKPOINT), str(photographs))
    assert {path.name for path in Path("exported").iterdir()} == {
        "network.onnx",
        "network.json",
        "predict.py",
        "README.md",
    }


@pytest.mark.slow
def test_several_networks_are_averaged_as_the_guide_says(
    finished_run: Path, tiny: list[str], tiny_data: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(finished_run)
    folder = Path("outputs/retrain/swin_unet_lr/ensemble")
    folder.mkdir(parents=True)
    for seed, letter in enumerate("ABC"):
        trained([*tiny, f"seed={seed}"], folder / f"{seed}.pth")
        Path(f"{letter}.pth").hardlink_to(folder / f"{seed}.pth")
    predicting, scoring, exporting = ENSEMBLES
    three = " ".join(str(path) for path in sorted(folder.iterdir()))
    command = predicting.replace(f"{folder}/*.pth", three).replace("PHOTOS", str(tiny_data / "test" / "images"))
    assert "(threshold 0.410;" in run_here(command)
    (written,) = re.findall(r"(\S*outputs/ensembles/\w+/results/test)$", run_here(scoring), re.MULTILINE)
    assert json.loads((Path(written) / "metrics.json").read_text())["checkpoint"] == ["A.pth", "B.pth", "C.pth"]
    run_here(exporting.replace("--out exported", "--out exported_mean"))
    assert len(json.loads(Path("exported_mean/network.json").read_text())["checkpoint"]) == 3


def test_synthetic_photographs_are_made_as_the_guides_say(tmp_path: Path):
    (command,) = {line for line in GUIDES if "src.synthetic" in line}
    run_here(command.replace("data/synthetic", str(tmp_path / "made")), "--images", "8", "--size", "32")
    assert len(list((tmp_path / "made").glob("*/images/*"))) == 8


PREPARE = "python -m src.prepare PHOTOS --out data/mine"
FIND = f"{PREPARE} --find-groups"
CHECK = "python -m src.check data/mine"


def test_photographs_are_prepared_and_checked_as_the_documents_say(tmp_path: Path):
    assert {PREPARE, CHECK} <= set(README)
    random = np.random.default_rng(0)
    drawn = np.zeros((40, 40), np.uint8)
    drawn[20] = 255
    for number in range(10):
        for folder, picture in (("images", random.integers(0, 255, (40, 40, 3), dtype=np.uint8)), ("masks", drawn)):
            (tmp_path / "photos" / folder).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(tmp_path / "photos" / folder / f"{number}.png"), picture)
    for command in (PREPARE, FIND):
        run_here(command.replace("PHOTOS", str(tmp_path / "photos")).replace("data/mine", str(tmp_path / "mine")))
        assert len(list((tmp_path / "mine").glob("*/images/*.png"))) == 10
        assert "10 pairs" in run_here(CHECK.replace("data/mine", str(tmp_path / "mine")))
        shutil.rmtree(tmp_path / "mine")


def few_trials(tiny: list[str]) -> list[str]:
    words = [*tiny_sweep(tiny), "model.encoder.embed_dim=16", "--trials", "2", "--max-epochs", "1"]
    return [*words, "--trials-at-once", "1"]


SWEEP = "python -m sweeps.run swin_unet_lr"
LONG = [f"{SWEEP} --resume", f"{SWEEP} --extend 20", f"{SWEEP} --check"]
LOOK = ["python -m analysis.report swin_unet_lr", "python -m analysis.leaderboard swin_unet_lr"]
DASHBOARD = "optuna-dashboard sqlite:///outputs/sweeps/swin_unet_lr/study.db"
COMPARE = "python -m analysis.compare swin_unet_lr swin_unet_wide"
WARM = f"{SWEEP} --name swin_unet_wide --warm-start swin_unet_lr"


def test_the_sweep_of_the_readme_is_listed_planned_run_and_looked_at(tiny: list[str], tmp_path: Path):
    listed, planned, searched, *long = (line for line in README if "sweeps.run" in line)
    assert long == LONG[:1]
    assert "swin_unet_lr" in run_here(listed)
    few = few_trials(tiny)
    assert "an epoch takes" in run_here(planned, *few)
    assert "retrain-best swin_unet_lr" in run_command_line(searched, *few)
    for look in LOOK:
        assert look in README
        assert "swin_unet_lr" in run_here(look, "--output-root", str(tmp_path / "outputs"))


EXECUTE = "jupyter execute --inplace analysis/notebooks/01_sweep_overview.ipynb"


@pytest.mark.slow
def test_a_notebook_is_run_as_the_guide_says(finished_sweep: FinishedSweep, tmp_path: Path):
    notebooks = tmp_path / "analysis" / "notebooks"
    shutil.copytree(ROOT / "analysis" / "notebooks", notebooks)
    shutil.copytree(finished_sweep.folder, tmp_path / "outputs" / "sweeps" / "quickstart")
    run_command_line(EXECUTE, cwd=tmp_path)
    assert "image/png" in (notebooks / "01_sweep_overview.ipynb").read_text()


OWN = ["python -m sweeps.run optimizers --dry-run", "python -m sweeps.run optimizers"]
SPECS = ROOT / "docs" / "guides" / "writing_a_spec.md"


@pytest.fixture(scope="module")
def with_own_spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code with the guide's first example as ``sweeps/specs/optimizers.py``."""
    copy = tmp_path_factory.mktemp("own") / "code"
    for room in ("src", "trainable", "sweeps", "configs"):
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    example, *_ = re.findall(r"```python\n(.*?)```", SPECS.read_text(), re.DOTALL)
    (copy / "sweeps" / "specs" / "optimizers.py").write_text(example)
    return copy


def test_the_spec_of_the_guide_is_planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: list[str]):
    example, *_ = re.findall(r"```python\n(.*?)```", SPECS.read_text(), re.DOTALL)
    (tmp_path / "optimizers.py").write_text(example)
    importlib.import_module("sweeps.session")  # which takes the real folder, before another one stands there
    monkeypatch.setattr("sweeps.spec.SPECS_DIR", tmp_path)
    monkeypatch.setattr("sweeps.specs.__path__", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "sweeps.specs.optimizers", raising=False)
    small = [word for word in tiny if not word.startswith(("threads=", "training.epochs="))]
    assert "an epoch takes" in run_here(OWN[0], *small, "--trials", "3", "--max-epochs", "2")
    sys.modules.pop("sweeps.specs.optimizers", None)


@pytest.mark.slow
@pytest.mark.parametrize("command", OWN)
def test_the_spec_of_the_guide_is_planned_and_run_as_a_file_of_the_code(
    command: str, with_own_spec: Path, tiny: list[str]
):
    small = [word for word in tiny if not word.startswith(("threads=", "training.epochs="))]
    said = run_command_line(command, *small, "--trials", "3", "--max-epochs", "2", cwd=with_own_spec)
    assert ("an epoch takes" if "--dry-run" in command else "retrain-best optimizers") in said


def test_the_guide_to_specs_names_every_field_with_its_default():
    text = SPECS.read_text()
    for described in (SweepSpec, Asha, Budget):
        part = text.partition(f"| `{described.__name__}(...)`")[2].partition("\n\n")[0]
        for field in fields(described):
            (line,) = (line for line in part.splitlines() if f"`{field.name}`" in line.split("|")[1])
            default = field.default
            if described is not Asha and isinstance(default, bool | int | float | str):
                assert f"{default:g}" if isinstance(default, float) else str(default) in line.split("|")[2], field.name


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("optimizer.momentum", "optimizer.moment", "Unknown key 'training.optimizer.moment'"),
        ('if optimizer == "sgd":', "if True:", "Unknown key 'training.optimizer.momentum'"),
        ('"dice_bce", "dice_focal"]', '"dice_bce", "dice_bc"]', "Unknown option of training.loss in the search space"),
        ("0.1, 10.0, log", "2.0, 10.0, log", "the default 1.0 is outside of the search range 2.0 to 10.0 (log)"),
        (', "training.optimizer.momentum": 0.9', "", "training.optimizer.momentum"),
        ("def space", "def 7", "sweeps/specs/optimizers.py: SyntaxError"),
    ],
)
def test_a_mistake_in_a_spec_is_the_sentence_of_the_guide(
    old: str, new: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: list[str]
):
    example, *_ = re.findall(r"```python\n(.*?)```", SPECS.read_text(), re.DOTALL)
    assert old in example
    (tmp_path / "optimizers.py").write_text(example.replace(old, new))
    importlib.import_module("sweeps.session")  # which takes the real folder, before another one stands there
    monkeypatch.setattr("sweeps.spec.SPECS_DIR", tmp_path)
    monkeypatch.setattr("sweeps.specs.__path__", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "sweeps.specs.optimizers", raising=False)
    small = [word for word in tiny if not word.startswith(("threads=", "training.epochs="))]
    with pytest.raises(UserError) as caught:
        sweep_main(["optimizers", *small, "--dry-run"])
    sys.modules.pop("sweeps.specs.optimizers", None)
    assert sentence in str(caught.value)


CARDS = ["python -m src.cards"]  # in test_cards
RETRAINED_ON_CARDS = "retrain-best swin_unet_lr --gpus 2"  # in test_retrain
ON_CARDS = {
    f"{SWEEP} --gpus 2": (2, 1),
    f"{SWEEP} --trials-at-once 2": (1, 2),
    f"{SWEEP} --trials-at-once auto": (1, 1),
}
"""Cards in use, and trials on each, where one card more than those is there."""
PLANNED = [f"{SWEEP} --dry-run --gpu-memory 8"]


@pytest.mark.parametrize("command", ON_CARDS)
def test_cards_are_shared_as_the_guide_says(command: str, tiny: list[str], monkeypatch: pytest.MonkeyPatch):
    """Planned with made-up cards; no trial is begun."""
    cards, trials = ON_CARDS[command]
    there = [Card("RTX", memory_mib=8000, free_mib=7000)] * (3 if cards > 1 else 1)
    plans: list[SweepPlan] = []

    def run_trials(plan: SweepPlan, *_: object) -> int:
        plans.append(plan)
        return 15

    monkeypatch.setattr("sweeps.run_trials.run_trials", run_trials)
    monkeypatch.setattr("sweeps.sweep.check_corners", lambda *_: [])  # slow, and the same on any card
    monkeypatch.setattr("sweeps.machines.find_cards", lambda device: there)
    monkeypatch.setattr("sweeps.packing.measure", lambda *_: Throughput(1e6, 100))  # too fast to be worth more
    auto = [word for word in tiny_sweep(tiny) if not word.startswith("device=")]
    sweep_main(["swin_unet_lr", *auto, "model.encoder.embed_dim=16", *shlex.split(command)[4:]])
    (plan,) = plans
    assert (len(plan.resources.cards), plan.resources.trials_per_card) == (cards, trials)


@pytest.mark.slow
@pytest.mark.parametrize("command", PLANNED)
def test_a_card_that_is_not_here_is_planned_for_as_the_guide_says(command: str, tiny: list[str]):
    auto = [word for word in tiny_sweep(tiny) if not word.startswith("device=")]
    said = run_command_line(command, *auto, "model.encoder.embed_dim=16")
    assert re.search(r"^GPU memory per trial: \d+ MiB", said, re.MULTILINE)
    assert re.search(r"^  all networks: \d+ MiB$", said, re.MULTILINE)
    assert "1 at once, each on a graphics card that is not here, 8.0 GiB" in said
    assert "an epoch takes" not in said


@pytest.mark.slow
def test_a_long_sweep_goes_on_and_is_retrained_as_the_documents_say(tiny: list[str], tmp_path: Path):
    resume, extend, check = LONG
    here = f"output_root={tmp_path / 'outputs'}"
    said = run_command_line(SWEEP, *few_trials(tiny), "--epochs", "1")
    assert "The budget of epochs is spent; not all trials are done" in said
    (command,) = re.findall(r"Continue: (.*)", said)
    assert command == f"{SWEEP} {here} --resume --epochs 2"
    assert "retrain-best swin_unet_lr" in run_command_line(resume, here, "--epochs", "9")
    assert "retrain-best swin_unet_lr" in run_command_line(extend, here, "--extend", "1")
    with (tmp_path / "outputs" / "sweeps" / "swin_unet_lr" / "leaderboard.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 3
    assert "no problems" in run_command_line(check, here)
    said = run_command_line(WARM, *few_trials(tiny), "--trials", "1")
    assert "3 trials as if they were ours" in said
    assert "retrain-best swin_unet_wide" in said
    (retrained,) = (line for line in README if line.startswith("retrain-best"))
    said = run_command_line(retrained, "--seeds", "1", "--output-root", str(tmp_path / "outputs"))
    assert "with only one seed" in said or "no other configuration is better" in said
    assert (tmp_path / "outputs" / "retrain" / "swin_unet_lr" / "best.yaml").is_file()
    assert "best_so_far.png" in run_command_line(COMPARE, "--output-root", str(tmp_path / "outputs"))


@pytest.fixture
def tensorboard_url(finished_sweep: FinishedSweep) -> Iterator[str]:
    (command,) = (line for line in README if line.startswith("tensorboard"))
    with serving(command.replace("outputs/sweeps", shlex.quote(str(finished_sweep.folder.parent)))) as url:
        yield url


def test_tensorboard_shows_the_trials_their_scores_and_their_parameters(
    tensorboard_url: str, finished_sweep: FinishedSweep
):
    sweep = read_folder(finished_sweep.folder)
    trials = {f"tiny_sweep/{name}/logs": name for name in sweep.params}
    assert trials.keys() <= runs_of(tensorboard_url, set(trials))
    tags = ask(tensorboard_url, "/data/plugin/scalars/tags")
    for run, name in trials.items():
        assert {"train/loss", "val/loss", "val/iou", "val/iou_best", "lr"} <= tags[run].keys()
        points = ask(tensorboard_url, f"/data/plugin/scalars/scalars?run={quote(run)}&tag=val/iou_best")
        assert [value for _, _, value in points] == pytest.approx(
            sweep.reports[sweep.reports["trial"] == name]["value"].tolist()
        )
    best = f"tiny_sweep/{sweep.ranked['trial'].iloc[0]}/logs"
    assert "val/predictions" in ask(tensorboard_url, "/data/plugin/images/tags")[best]
    experiment = ask(tensorboard_url, "/data/plugin/hparams/experiment", {"experimentName": ""})
    names = {info["name"] for info in experiment["hparamInfos"]}
    assert names == {"training.optimizer.lr_scale", "training.loss"}
    assert {info["name"]["tag"] for info in experiment["metricInfos"]} == {"val/iou_best"}
    asked = {"experimentName": "", "allowedStatuses": ["STATUS_RUNNING", "STATUS_SUCCESS"], "sliceSize": 99}
    groups = ask(tensorboard_url, "/data/plugin/hparams/session_groups", asked)["sessionGroups"]
    shown = {group["name"]: group["hparams"] for group in groups}
    assert shown == {run: pytest.approx(sweep.params[name]) for run, name in trials.items()}


@pytest.fixture
def dashboard_url(finished_sweep: FinishedSweep, tmp_path: Path) -> Iterator[str]:
    """Of a copy: in an address Optuna has a meaning of its own for some signs of the sweep's folder."""
    assert DASHBOARD in GUIDES
    database = shutil.copy(finished_sweep.folder / "study.db", tmp_path)
    with serving(DASHBOARD.replace("outputs/sweeps/swin_unet_lr/study.db", shlex.quote(str(database)))) as url:
        yield url


def test_the_optuna_dashboard_shows_the_trials_of_the_export(dashboard_url: str, finished_sweep: FinishedSweep):
    sweep = read_folder(finished_sweep.folder)
    (study,) = ask(dashboard_url, "/api/studies")["study_summaries"]
    assert (study["study_name"], study["directions"]) == ("tiny_sweep", ["maximize"])
    trials = ask(dashboard_url, f"/api/studies/{study['study_id']}")["trials"]
    shown = {
        next(about["value"] for about in trial["user_attrs"] if about["key"] == "trial"): trial["values"]
        for trial in trials
    }
    scores = dict(zip(sweep.trials["trial"], sweep.trials["score"], strict=True))
    assert shown == {name: [score] for name, score in scores.items()}
    assert ask(dashboard_url, f"/api/studies/{study['study_id']}")["objective_names"] == ["val/iou_best"]


def states_of(url: str, study: int) -> dict[int, str]:
    return {trial["number"]: trial["state"] for trial in ask(url, f"/api/studies/{study}")["trials"]}


@pytest.mark.slow
def test_the_optuna_dashboard_follows_a_sweep_while_it_runs(tmp_path: Path):
    ledger = Ledger(tmp_path / LEDGER_FILE)
    study, path = make(ledger), tmp_path / "study.db"
    study.begin_session()
    play(study, steps=3)
    export(study, ledger, SPACE, "mine", path, live=True)
    with serving(DASHBOARD.replace("outputs/sweeps/swin_unet_lr/study.db", str(path))) as url:
        number = ask(url, "/api/studies")["study_summaries"][0]["study_id"]
        assert len(states_of(url, number)) == len(study.trials)
        play(study)
        export(study, ledger, SPACE, "mine", path, live=True)
        deadline = time.monotonic() + 60  # it asks the file anew every few seconds
        while (states := states_of(url, number)).keys() != set(range(8)) and time.monotonic() < deadline:
            time.sleep(0.5)
    expected = {"complete": "Complete", "paused": "Running", "running": "Running"}
    assert states == {trial.number: expected[trial.state] for trial in study.trials.values()}
    assert set(states.values()) == {"Complete", "Running"}


@pytest.mark.skipif(shutil.which("conda") is None, reason="conda is not installed here")
@pytest.mark.slow
def test_the_conda_environment_can_be_solved():
    subprocess.run(["conda", "env", "create", "-f", "environment.yml", "--dry-run"], cwd=ROOT, check=True)


def test_the_conda_environment_installs_the_locked_packages():
    text = (ROOT / "environment.yml").read_text()
    assert "name: torch\n" in text
    assert "-r requirements.lock" in text


def test_links_of_the_documents_lead_somewhere():
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document}: {target}"
