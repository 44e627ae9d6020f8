"""Who may import whom: the table of docs/architecture.md, held by a walk over the code."""

import ast
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from checkout import ROOT

ROOMS = ("src", "trainable", "sweeps", "analysis")
# the light parts of src that the sweep's own checks and words need; never training, models, losses or metrics
LIGHT = {
    "src.atomic",
    "src.cards",
    "src.check",
    "src.config",
    "src.cores",
    "src.data",
    "src.errors",
    "src.folders",
    "src.imports",
    "src.lines",
    "src.models.checkpoint",
    "src.models.hub",
    "src.provenance",
    "src.rankable",
    "src.synthetic",
    "src.tables",
}
BELOW = {
    "config": set[str](),
    "data": {"config"},
    "models": {"config"},
    "scoring": {"config", "data", "models"},
    "datasets": {"config", "data", "scoring"},
    "exporting": {"config", "data", "models", "scoring"},
    "maps": {"config", "data", "scoring"},
    "measuring": {"config", "data", "maps", "scoring"},
    "predicting": {"config", "data", "maps", "scoring"},
    "training": {"config", "data", "models", "scoring"},
}
"""The rooms of src, and which others each may import; files directly in src are commands and what all may use."""
FORBIDDEN = {
    "src": {"ray", "optuna", "trainable", "sweeps", "analysis"},
    "trainable": {"optuna", "sweeps", "analysis"},
    "sweeps": {"analysis"},
    "analysis": {"ray", "optuna"},
}

FILES = {
    "sweeps.about",
    "sweeps.busy",
    "sweeps.ledger",
    "sweeps.leaderboard",
    "sweeps.search.trial",
    "sweeps.writer",
    "trainable.limits",
}
"""What analysis may know of sweeps: the files of a sweep's folder, the order of trials, and what networks cost."""
SEARCH = {"sweeps.search", "src.errors", "numpy", "optuna", "scipy"}
"""What the search core may import beside the standard library."""


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_no_room_it_must_not_know(room: str):
    found = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(room)
        for name in imported(path)
        if name.partition(".")[0] in FORBIDDEN[room] and (path.stem, name.partition(".")[0]) != ("importance", "optuna")
    }
    assert not found


@pytest.mark.parametrize("room", BELOW)
def test_a_room_of_src_imports_only_rooms_below_it(room: str):
    assert {path.name for path in (ROOT / "src").iterdir() if (path / "__init__.py").is_file()} == BELOW.keys()
    found = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(f"src/{room}")
        for name in imported(path)
        for other in BELOW.keys() - BELOW[room] - {room}
        if f"{name}.".startswith(f"src.{other}.")
    }
    assert not found


def test_sweeps_know_only_the_light_parts_of_src():
    found = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules("sweeps")
        for name in imported(path)
        if name.startswith("src.") and not any(name == light or name.startswith(f"{light}.") for light in LIGHT)
    }
    assert not found


def test_the_search_core_knows_no_clock_no_files_no_ray_and_nothing_else_of_sweeps():
    without = {"time", "datetime", "os", "pathlib", "io", "sqlite3", "subprocess", "threading", "shutil", "tempfile"}
    found = {
        f"{path.name} imports {name}"
        for path in modules("sweeps/search")
        for name in imported(path)
        if name.partition(".")[0] in without
        or (
            name.partition(".")[0] not in sys.stdlib_module_names
            and not any(f"{name}.".startswith(f"{known}.") for known in SEARCH)
        )
    }
    assert not found


def test_analysis_knows_of_sweeps_their_files_alone_and_only_retraining_runs_trials():
    found = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules("analysis")
        for name in imported(path)
        if name.partition(".")[0] in {"trainable", "sweeps"} and name not in FILES and path.parent.name != "retrain"
    }
    assert not found


def path_of_test(module: Path) -> Path:
    """Where the test of a module is: ``src/data/masks.py`` has ``tests/src/data/test_masks.py``."""
    return ROOT / "tests" / module.relative_to(ROOT).with_name(f"test_{module.stem}.py")


NOT_OF_A_MODULE = {"tests/src/training/test_card_step.py"}  # the training step on a made-up card, of several modules


def test_every_module_has_its_test_in_the_same_room():
    missing = {
        f"{path.relative_to(ROOT)} needs {path_of_test(path).relative_to(ROOT)}"
        for path in [ROOT / "run.py", *(path for room in ROOMS for path in modules(room))]
        if path.stem not in {"__init__", "__main__", "schema"}  # the schema is tested through the configuration
        and path.parent.name != "specs"
        and not path_of_test(path).is_file()
    }
    assert not missing


def test_every_test_of_a_room_has_its_module_there():
    expected = {path_of_test(path) for room in ROOMS for path in modules(room)}
    found = {path for room in ROOMS for path in (ROOT / "tests" / room).rglob("test_*.py")}
    assert {str(path.relative_to(ROOT)) for path in found - expected} == NOT_OF_A_MODULE


def test_no_file_is_named_for_having_no_name():
    nameless = {"utils", "util", "common", "helpers", "misc"}
    assert not [path for room in ROOMS for path in modules(room) if path.stem in nameless]


MISTAKES = {
    "sweeps.run quickstart --trials 0": "trials=0: must be above 0",
    "sweeps.run quickstart --trils 3": "Unknown option '--trils'",
    "sweeps.run quickstart data.image_size=wide": "data.image_size=wide: must be height and width",
    "sweeps.run quickstart data.image_size=wide --dry-run": "data.image_size=wide: must be height and width",
    "sweeps.run quickstart training.epcohs=3": "Unknown key 'training.epcohs'",
    "sweeps.run swin_unet_lr data.root=nowhere": "nowhere",
    "sweeps.run quickstart training.optimizer=sgd --resume": "no sweep to continue",
    "sweeps.run nope": "Unknown spec 'nope'",
    "analysis.retrain.cli nope": "No sweep in",
    "analysis.retrain.cli nope --top 0": "--top=0",
    "analysis.report nope": "No sweep in",
    "analysis.leaderboard": "No sweep in",
    "analysis.compare nope nope": "No sweep in",
    "src.evaluation evaluation.split=val": "model.checkpoint_path",
    "src.evaluation model.checkpoint_path=nope.pth": "nope.pth",
    "src.evaluation evaluation.tta=many model.checkpoint_path=README.md": "evaluation.tta=many",
    "src.predict nope.pth README.md": "nope.pth",
    "src.prepare nope --out nope": "nope",
    "src.check nope": "nope",
    "src.synthetic --imges 3": "Unknown option '--imges'",
    "run data.root=nowhere": "nowhere",
    "run training.optimizer.momentum=0.5": "training.optimizer=sgd",
}
"""Commands and what the sentence has."""


def test_a_mistake_that_needs_no_torch_does_not_wait_for_it(tmp_path: Path):
    code = """
        import importlib, json, sys
        class Heavy:  # to import one of them now is an ImportError
            def find_spec(self, name, path=None, target=None):
                if name in ("torch", "ray"):
                    raise ImportError(f"{name} is imported")
        sys.meta_path.insert(0, Heavy())
        from src.errors import UserError
        told = {}
        for command in json.loads(sys.argv[1]):
            module, *words = command.split()
            try:
                importlib.import_module(module).main([*words])
            except UserError as error:
                told[command] = str(error)
            except ImportError as error:
                told[command] = f"waits: {error}"
        print(json.dumps(told))
    """
    places = {"CRACK_OUTPUT_ROOT": str(tmp_path / "outputs"), "CRACK_DATA_ROOT": str(tmp_path / "data")}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), json.dumps(list(MISTAKES))],
        cwd=ROOT,
        env=os.environ | places,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert {command: told.get(command) for command, said in MISTAKES.items() if said not in told.get(command, "")} == {}
