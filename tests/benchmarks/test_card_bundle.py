"""The bundle for a bare machine: complete, small enough, and with a Ray that starts."""

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import requires
from pathlib import Path
from unittest.mock import patch

import pytest
from checkout import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks import card_bundle
from benchmarks.card_bundle import CARRIED, COPIED, LEFT_OUT, STRIPPED
from src.errors import UserError

THERE = {*CARRIED, COPIED, STRIPPED}
MACHINE = {"python_version": "3.12", "python_full_version": "3.12.0", "sys_platform": "linux"}


def needs(package: str, extras: set[str]) -> set[str]:
    """The names that a package's own metadata asks for on the machine."""
    asked = [Requirement(line) for line in requires(package) or []]
    kept = [
        one
        for one in asked
        if one.marker is None or any(one.marker.evaluate({**MACHINE, "extra": extra}) for extra in {"", *extras})
    ]
    return {canonicalize_name(one.name) for one in kept}


def test_every_dependency_is_carried_or_left_out_for_a_reason():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {canonicalize_name(Requirement(line).name) for line in project["dependencies"]}
    assert wanted <= THERE | set(LEFT_OUT)
    assert not THERE & set(LEFT_OUT)
    assert all(LEFT_OUT.values())


@pytest.mark.parametrize("package", sorted(THERE))
def test_what_a_carried_package_needs_is_carried_too_or_left_out_for_a_reason(package: str):
    assert needs(package, {"tune"} if package == STRIPPED else set()) <= THERE | set(LEFT_OUT)


def test_a_stripped_ray_keeps_its_programs_and_drops_what_a_sweep_does_not_use(tmp_path: Path):
    kept = ["ray/__init__.py", "ray/_raylet.so", "ray/core/src/ray/raylet/raylet", "ray/tune/tuner.py"]
    kept += ["ray/data/block.py", "ray/train/context.py", "ray/dashboard/dashboard.py", "ray-2.60.0.dist-info/METADATA"]
    dropped = ["ray/jars/ray_dist.jar", "ray/rllib/env.py", "ray/serve/api.py", "ray/llm/llm.py", "ray/cpp/lib.so"]
    dropped += ["ray/core/libjemalloc.so", "ray/dashboard/client/index.html", "ray/dashboard/page.js.map"]
    with zipfile.ZipFile(tmp_path / "ray.whl", "w") as wheel:
        for name in [*kept, *dropped]:
            wheel.writestr(name, f"content of {name}")
    card_bundle.strip(tmp_path / "ray.whl", tmp_path / "ray.tar.xz")
    with tarfile.open(tmp_path / "ray.tar.xz") as stripped:
        assert stripped.getnames() == kept
        stripped.extractall(tmp_path, filter="data")
    assert (tmp_path / kept[1]).read_text() == f"content of {kept[1]}"
    assert (tmp_path / kept[2]).stat().st_mode & 0o111
    assert not (tmp_path / kept[0]).stat().st_mode & 0o111


def test_a_bundle_that_is_too_large_is_refused_with_its_largest_file(tmp_path: Path):
    (tmp_path / "small.whl").write_bytes(b"1" * 1000)
    assert card_bundle.refuse_large(tmp_path) == pytest.approx(1000 / 2**20)
    with (tmp_path / "large.whl").open("wb") as file:
        file.truncate(60 * 2**20)
    with pytest.raises(UserError, match=r"60.0 MiB, and 58 are legal. The largest files: large.whl \(60.0\), small"):
        card_bundle.refuse_large(tmp_path)


def test_a_machine_without_a_package_is_told_which():
    modules = {"pyyaml": "yaml", "imaginary-package": "imaginary_package"}
    script = card_bundle.SETUP.format(name="bundle", programs=card_bundle.PROGRAMS, modules=modules)
    program = script.partition("<<'CHECK'\n")[2].removesuffix("CHECK\n")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert "does not hold: imaginary-package (No module named 'imaginary_package')" in done.stderr
    assert "pyyaml" not in done.stderr


def test_a_folder_with_files_is_not_touched(tmp_path: Path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="is not empty; legal: a new or an empty folder"):
        card_bundle.main([str(tmp_path)])


def test_a_version_without_a_wheel_is_replaced_by_another_and_no_wheel_at_all_is_refused(tmp_path: Path):
    asked = list[str]()

    def none_of_this_version(requirement: str, _: Path) -> str | None:
        asked.append(requirement)
        return "no match" if "==" in requirement else None

    with patch.object(card_bundle, "pip_download", none_of_this_version):
        card_bundle.download("timm", tmp_path)
    assert asked[1:] == ["timm"]
    with (
        patch.object(card_bundle, "pip_download", lambda *_: "no match"),
        pytest.raises(UserError, match=r"There is no wheel of timm for Python 3\.12 on Linux: no match"),
    ):
        card_bundle.download("timm", tmp_path)


def test_the_bundle_is_made_and_says_how_to_use_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    def wheel(requirement: str, folder: Path) -> None:
        with zipfile.ZipFile(folder / f"{requirement.partition('==')[0]}-1-py3-none-any.whl", "w") as file:
            file.writestr("ray/__init__.py", "")

    with patch.object(card_bundle, "pip_download", wheel):
        card_bundle.main([str(tmp_path / "bundle")])
    names = {path.name for path in (tmp_path / "bundle").iterdir()}
    assert {"setup.sh", "ray.tar.xz", "antlr4", "timm-1-py3-none-any.whl"} <= names
    assert "ray-1-py3-none-any.whl" not in names
    assert (tmp_path / "bundle" / "antlr4" / "Parser.py").is_file()
    said = capsys.readouterr().out
    assert f". {tmp_path / 'bundle'}/setup.sh && python3 -m benchmarks.card --commit " in said
    subprocess.run(["bash", "-n", str(tmp_path / "bundle" / "setup.sh")], check=True)
