"""Every command in the README, run as it stands there with tiny sizes appended."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast
from urllib.request import Request, urlopen

import cv2
import numpy as np
import pytest
from conftest import FinishedSweep

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


def commands(document: str) -> list[str]:
    """The lines of a document's bash blocks, without comments."""
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)
    lines = (line.partition("  #")[0].strip() for block in blocks for line in block.splitlines())
    return [line for line in lines if line]


README = commands("README.md")
GUIDES = [line for path in sorted((ROOT / "docs").rglob("*.md")) for line in commands(str(path.relative_to(ROOT)))]


def run(command: str, *more: str) -> str:
    program, *words = shlex.split(command)
    done = subprocess.run(
        [str(BIN / program), *words, *more], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, f"{command} {more}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def tiny_sweep(tiny: list[str]) -> list[str]:
    """``tiny`` for a swin_unet sweep: its own network, no threads or epochs of a single run."""
    return [word for word in tiny if not word.startswith(("model.", "threads=", "training.epochs="))]


def test_the_readme_shows_the_commands_it_must():
    assert {"make sweep", "make test", "retrain-best swin_unet_lr", "tensorboard --logdir outputs/sweeps"} <= set(
        README
    )


@pytest.mark.parametrize(
    "command", sorted({line for line in [*README, *commands("CONTRIBUTING.md")] if line.startswith("make ")})
)
def test_every_make_target_of_the_readme_exists(command: str):
    subprocess.run([*shlex.split(command), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize("command", [line for line in [*README, *GUIDES] if line.startswith("python run.py")])
def test_the_single_runs_of_the_documents_run(command: str, tiny: list[str]):
    own_network = [word for word in tiny if not word.startswith("model.")]
    said = run(command, *own_network, "training.epochs=1")
    assert "image_size:" in said if "--show" in command else "epoch 1/1" in said


def test_photographs_are_prepared_as_the_readme_says(tmp_path: Path):
    (command,) = (line for line in README if "src.prepare" in line)
    for folder, values in (("images", 90), ("masks", 255)):
        (tmp_path / "photos" / folder).mkdir(parents=True)
        for number in range(10):
            picture = np.full((40, 40, 3), values, dtype=np.uint8)
            cv2.imwrite(str(tmp_path / "photos" / folder / f"{number}.png"), picture)
    run(command.replace("PHOTOS", str(tmp_path / "photos")).replace("data/mine", str(tmp_path / "mine")))
    assert len(list((tmp_path / "mine").glob("*/images/*.png"))) == 10


def test_the_sweep_of_the_readme_is_listed_planned_run_and_retrained(tiny: list[str], tmp_path: Path):
    listed, planned, searched = (line for line in README if "sweeps.run" in line)
    (retrained,) = (line for line in README if line.startswith("retrain-best"))
    assert "swin_unet_lr" in run(listed)
    few = [*tiny_sweep(tiny), "model.encoder.embed_dim=16", "--trials", "2", "--max-epochs", "1"]
    assert "an epoch of trial 0 takes" in run(planned, *few)
    assert "retrain-best swin_unet_lr" in run(searched, *few)
    said = run(retrained, "--seeds", "1", "--output-root", str(tmp_path / "outputs"))
    assert "test IoU" in said
    assert (tmp_path / "outputs" / "retrain" / "swin_unet_lr" / "best.yaml").is_file()


@pytest.fixture
def tensorboard_url(finished_sweep: FinishedSweep) -> Iterator[str]:
    (command,) = (line for line in README if line.startswith("tensorboard"))
    program, *words = shlex.split(command.replace("outputs/sweeps", str(finished_sweep.folder.parent)))
    server = subprocess.Popen(
        [str(BIN / program), *words, "--port", "0"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert server.stderr is not None
    found = (re.search(r"http://\S+", line) for line in server.stderr)
    yield next(match.group() for match in found if match)
    server.kill()
    server.wait()


def ask(url: str, path: str, body: dict[str, object] | None = None) -> object:
    content = json.dumps(body).encode() if body is not None else None
    request = Request(url.rstrip("/") + path, data=content, headers={"Content-Type": "application/json"})
    with urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def test_tensorboard_shows_the_trials_their_scores_and_their_parameters(
    tensorboard_url: str, finished_sweep: FinishedSweep
):
    trials = {f"tiny_sweep/{path.name}/logs" for path in finished_sweep.folder.glob("t*")}
    runs: set[str] = set()
    for _ in range(60):  # it reads the events in the background
        runs = set(cast(list[str], ask(tensorboard_url, "/data/runs")))
        if trials <= runs:
            break
        time.sleep(0.5)
    assert trials <= runs
    experiment = ask(tensorboard_url, "/data/plugin/hparams/experiment", {"experimentName": ""})
    assert isinstance(experiment, dict)
    names = {info["name"] for info in experiment["hparamInfos"]}
    assert names == {"training.optimizer.lr_scale", "training.loss"}
    assert "val/iou_best" in {info["name"]["tag"] for info in experiment["metricInfos"]}


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
