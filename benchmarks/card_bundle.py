"""What a bare machine lacks for the card check, as files to carry there: ``python -m benchmarks.card_bundle DIR``.

The machine has Python 3.12 for Linux on x86-64, torch, and the packages of ``LEFT_OUT``, and reaches no network. DIR
gets wheels of the versions that are installed here, a Ray without what a sweep does not use, and ``setup.sh``, which
installs them into a folder there. More than ``MOST_MIB`` together is a ``UserError``.
"""

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from importlib.metadata import distribution, version
from io import BytesIO
from pathlib import Path

from src.errors import UserError, run_command
from src.folders import user_path
from src.provenance import provenance

MIB = 2**20
MOST_MIB = 58.0
CARRIED = (
    "albucore",
    "albumentations",
    "alembic",
    "annotated-types",
    "argcomplete",
    "colorlog",
    "hydra-core",
    "jsonschema",
    "jsonschema-specifications",
    "mako",
    "msgpack",
    "omegaconf",
    "optuna",
    "pydantic",
    "pydantic-core",
    "python-dotenv",
    "referencing",
    "rpds-py",
    "segmentation-models-pytorch",
    "simsimd",
    "sqlalchemy",
    "stringzilla",
    "tensorboardx",
    "timm",  # the optimizers use what is private in it, so the version counts
    "typing-extensions",  # pydantic may need a newer one than torch brought
    "typing-inspection",
)
"""Wheels."""
STRIPPED, COPIED = "ray", "antlr4-python3-runtime"
"""Too large as it is; and without a wheel, but pure Python."""
TORCH = "comes with torch"
LARGE = "too large to carry; the machine must have it"
USUAL = "comes with a package that the machine must have"
LEFT_OUT = {
    "torch": TORCH,
    "torchvision": LARGE,
    "filelock": TORCH,
    "fsspec": TORCH,
    "jinja2": TORCH,
    "markupsafe": TORCH,
    "numpy": LARGE,
    "scipy": LARGE,
    "pandas": LARGE,
    "pyarrow": LARGE,
    "pillow": LARGE,
    "opencv-python-headless": LARGE,
    "scikit-image": LARGE,
    "matplotlib": LARGE,
    "tensorboard": LARGE,
    "huggingface-hub": "brings compiled parts of its own; the machine must have it",
    "safetensors": USUAL,
    "attrs": USUAL,
    "click": USUAL,
    "packaging": USUAL,
    "protobuf": USUAL,
    "pyyaml": USUAL,
    "requests": USUAL,
    "rich": USUAL,
    "tqdm": USUAL,
}
"""What is not carried, and why. ``setup.sh`` says which of them a machine lacks."""
MODULES = {
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "protobuf": "google.protobuf",
    "pyyaml": "yaml",
    "scikit-image": "skimage",
    "attrs": "attr",
    "huggingface-hub": "huggingface_hub",
}
"""What a package is imported as, if not by its own name."""
PLATFORMS = ("2_28", "2_27", "2_24", "2_17", "2_12", "2_5")
"""Of glibc: pip takes a wheel only for a version that is named."""
DROPPED = (
    "ray/jars/",
    "ray/dashboard/client/",
    "ray/rllib/",
    "ray/serve/",
    "ray/llm/",
    "ray/cpp/",
    "ray/core/libjemalloc.so",
    "ray/core/src/ray/cpp",
)
"""Of Ray: Java, the dashboard's pages, other libraries of Ray, the C++ interface."""
PROGRAMS = "ray/core/src/"
SETUP = """\
# Source it in bash, in the project's root: . {name}/setup.sh [FOLDER]
# It installs the bundle into FOLDER (by default one in /tmp) and lets Python find it.
card_bundle=$(cd "$(dirname "${{BASH_SOURCE[0]}}")" && pwd)
card_site=${{1:-${{TMPDIR:-/tmp}}/card-site}}
mkdir -p "$card_site" &&
python3 -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir --upgrade \\
    --target "$card_site" "$card_bundle"/*.whl &&
python3 -m tarfile --filter data -e "$card_bundle/ray.tar.xz" "$card_site" &&
cp -r "$card_bundle"/antlr4* "$card_site" &&
chmod -R +x "$card_site/{programs}" &&
export PYTHONPATH="$card_site:$PWD" PYTHONUNBUFFERED=1 &&
python3 - <<'CHECK'
import sys
from importlib import import_module

missing = []
for package, module in {modules}.items():
    try:
        import_module(module)
    except ImportError as error:
        missing.append(f"{{package}} ({{error}})")
if missing:
    sys.exit("This machine lacks packages that the bundle does not hold: " + ", ".join(missing))
CHECK
"""


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.card_bundle", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("folder", type=user_path, metavar="DIR", help="a new or an empty folder")
    folder = parser.parse_args(argv).folder
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise UserError(f"'{folder}' is not empty; legal: a new or an empty folder.")
    with tempfile.TemporaryDirectory() as name:
        made = Path(name) / "bundle"
        made.mkdir()
        fill(made, folder.name)
        size = refuse_large(made)
        shutil.copytree(made, folder, dirs_exist_ok=True)
    commit = provenance()["commit"] or "COMMIT"
    print(f"{folder}: {size:.1f} MiB. On the machine, in the project's root:\n")
    print(f". {folder}/setup.sh && python3 -m benchmarks.card --commit {commit} --out OUT")


def fill(folder: Path, name: str) -> None:
    """All files of the bundle, which is to be called ``name``."""
    for package in CARRIED:
        download(package, folder)
    with tempfile.TemporaryDirectory() as apart:
        download(STRIPPED, Path(apart))
        (wheel,) = Path(apart).glob("*.whl")
        strip(wheel, folder / "ray.tar.xz")
    copy_installed(COPIED, folder)
    modules = {package: MODULES.get(package, package) for package in LEFT_OUT}
    (folder / "setup.sh").write_text(SETUP.format(name=name, programs=PROGRAMS, modules=modules))


def download(package: str, folder: Path) -> None:
    """Its wheel for Python 3.12, of the version that is installed here or, where that has none, of another one.

    A package without any wheel is a ``UserError`` with pip's own words.
    """
    exact = f"{package}=={version(package)}"
    if pip_download(exact, folder) is None:
        return
    print(f"{exact} has no wheel for the machine; another version is taken")
    if (said := pip_download(package, folder)) is not None:
        raise UserError(f"There is no wheel of {package} for Python 3.12 on Linux: {said}")


def pip_download(requirement: str, folder: Path) -> str | None:
    """None if it worked, else pip's last line."""
    platforms = [f"--platform=manylinux_{glibc}_x86_64" for glibc in PLATFORMS] + ["--platform=manylinux2014_x86_64"]
    words = ["download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    words += ["--python-version=3.12", "--implementation=cp", *platforms, requirement]
    done = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True)
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]


def strip(wheel: Path, out: Path) -> None:
    """Write the wheel's files but for those that a sweep does not use, as a .tar.xz. Its programs can be started."""
    with zipfile.ZipFile(wheel) as source, tarfile.open(out, "w:xz") as stripped:
        for item in source.infolist():
            if item.is_dir() or item.filename.startswith(DROPPED) or item.filename.endswith(".js.map"):
                continue
            entry = tarfile.TarInfo(item.filename)
            entry.size = item.file_size
            entry.mode = 0o755 if item.filename.startswith(PROGRAMS) else 0o644
            stripped.addfile(entry, BytesIO(source.read(item)))


def copy_installed(package: str, folder: Path) -> None:
    """The package's own modules and its metadata, as they are installed here."""
    for path in distribution(package).files or []:
        if ".." not in path.parts and path.suffix != ".pyc":
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path.locate(), target)


def refuse_large(folder: Path) -> float:
    """MiB of the folder. More than ``MOST_MIB`` is a ``UserError`` that names the largest files."""
    sizes = {path.relative_to(folder): path.stat().st_size / MIB for path in folder.rglob("*") if path.is_file()}
    total = sum(sizes.values())
    if total > MOST_MIB:
        largest = sorted(sizes, key=lambda path: -sizes[path])[:3]
        named = ", ".join(f"{path} ({sizes[path]:.1f})" for path in largest)
        raise UserError(f"The bundle has {total:.1f} MiB, and {MOST_MIB:g} are legal. The largest files: {named}.")
    return total


if __name__ == "__main__":
    sys.exit(run_command(main))
