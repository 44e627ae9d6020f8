"""The wheel holds all that the commands need, so that they run where there is no checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from checkout import ROOT


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's files, in a folder for PYTHONPATH."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "checkout"  # setuptools writes beside what it builds
    kept = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if kept.returncode:
        pytest.skip("this is no git checkout")
    for name in kept.stdout.splitlines():
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    words = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(copy)]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--show", "model=architectures/swin_unet"], "drop_path_rate"),
        (["sweeps.run", "--list"], "unet_encoder"),
        (["sweeps.run", "quickstart", "training.los=bce"], "Unknown key 'training.los'"),
        (["analysis.retrain", "--help"], "--top"),
    ],
)
def test_commands_of_the_wheel_run_outside_of_a_checkout(installed: Path, tmp_path: Path, words: list[str], said: str):
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-m", *words]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert said in done.stdout + done.stderr


def test_the_wheel_has_every_file_of_the_configuration_and_the_page_of_the_report(installed: Path):
    ours = {path.relative_to(ROOT) for path in (ROOT / "configs").rglob("*.yaml")}
    assert ours == {path.relative_to(installed) for path in (installed / "configs").rglob("*.yaml")}
    assert (installed / "analysis" / "report.html").is_file()
    pages = ["src/page.css", "src/measuring/page.html", "src/measuring/severity/ltpp.yaml"]
    pages += ["src/datasets/public_sets.yaml"]
    assert all((installed / name).is_file() for name in pages)
    code = {path.relative_to(ROOT) for room in ("src", "sweeps") for path in (ROOT / room).rglob("*.py")}
    assert code <= {path.relative_to(installed) for path in installed.rglob("*.py")}
