"""Variables of the environment, ``.env``, and the home folder."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from checkout import ROOT
from dotenv import dotenv_values

from src.config import compose as compose_module
from src.config.compose import load_config
from src.config.environment import ROOTS, with_data_root
from src.config.keys import CONFIG_DIR
from src.config.overrides import Overrides, load_overrides
from src.errors import UserError


def refusal(*overrides: str) -> str:
    """The sentence with which these overrides are refused."""
    with pytest.raises(UserError) as caught:
        load_config(overrides)
    return str(caught.value)


def run_in(folder: Path, *words: str, **environment: str) -> str:
    """What ``run.py`` prints in that folder, where its ``.env`` counts, with these variables set beforehand."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHON_DOTENV_DISABLED"}
    command = [sys.executable, str(ROOT / "run.py"), *words]
    env = {**inherited, **environment}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True).stdout


def shown(folder: Path, *overrides: str, **environment: str) -> dict[str, Any]:
    return yaml.safe_load(run_in(folder, *overrides, "--show", **environment))


def test_a_dotenv_file_says_where_things_are_the_environment_wins_and_an_override_over_both(tmp_path: Path):
    (tmp_path / ".env").write_text("CRACK_DATA_ROOT=/mine # comment\nCRACK_DEVICE=cpu\nCRACK_THREADS=3\n")
    found = shown(tmp_path, "threads=1", CRACK_DEVICE="cuda", CRACK_OUTPUT_ROOT="elsewhere")
    assert (found["data"]["root"], found["device"], found["threads"]) == ("/mine", "cuda", 1)
    assert (found["output_root"], found["data"]["cache_dir"]) == ("elsewhere", "elsewhere/cache")


def test_the_example_of_a_dotenv_file_changes_nothing_and_names_every_variable():
    example = dotenv_values(ROOT / ".env.example")
    read = set(re.findall(r"oc\.env:(\w+)", "".join(path.read_text() for path in CONFIG_DIR.rglob("*.yaml"))))
    assert read == example.keys()
    defaults = dict(
        re.findall(r"oc\.env:(\w+),(\w+)", "".join(path.read_text() for path in CONFIG_DIR.rglob("*.yaml")))
    )
    assert defaults == example


def test_empty_variables_count_as_not_set(tmp_path: Path):
    (tmp_path / ".env").write_text("CRACK_OUTPUT_ROOT=\nCRACK_THREADS=\n")
    found = shown(tmp_path)
    assert (found["output_root"], found["data"]["cache_dir"], found["threads"]) == ("outputs", "outputs/cache", "auto")


@pytest.fixture(scope="module")
def with_dotenv(
    trained_words: list[str], tiny_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """A run's folder, and the data that only the ``.env`` beside has told of; a token is in there too."""
    home = tmp_path_factory.mktemp("dotenv")
    (home / ".env").write_text(f"CRACK_DATA_ROOT={tiny_data}\nHF_TOKEN=canary-in-the-mine\n")
    told = [word for word in trained_words if not word.startswith(("data.root=", "output_root="))]
    run_in(home, *told, "training.epochs=1", "output_root=outputs")
    (folder,) = (home / "outputs" / "experiments").iterdir()
    return folder, tiny_data


def test_what_a_run_leaves_says_which_data_it_had_though_the_environment_did(with_dotenv: tuple[Path, Path]):
    folder, root = with_dotenv
    assert f"data.root={root}" in load_overrides(folder / "overrides.yaml")


def test_a_data_root_that_is_named_is_not_replaced_by_that_of_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CRACK_DATA_ROOT", "/env")
    seed, mine = Overrides.parse(["seed=1"]), Overrides.parse(["data.root=/mine"])
    assert list(with_data_root(seed)) == ["data.root=/env", "seed=1"]
    assert with_data_root(mine) == mine
    monkeypatch.delenv("CRACK_DATA_ROOT")
    assert with_data_root(seed) == seed


def test_overrides_that_are_composed_again_have_the_environment_of_now(monkeypatch: pytest.MonkeyPatch):
    """Hydra composes them once; what it made holds references, not values."""
    asked: list[str] = []
    composed = compose_module.hydra_compose
    monkeypatch.setattr(
        compose_module, "hydra_compose", lambda *words, **more: asked.append("once") or composed(*words, **more)
    )
    compose_module._composed.cache_clear()
    for root in ("/one", "/other"):
        monkeypatch.setenv("CRACK_DATA_ROOT", root)
        assert str(load_config(["seed=1234567"]).data.root) == root
    assert asked == ["once"]


def test_a_tilde_without_any_home_is_a_sentence(monkeypatch: pytest.MonkeyPatch):
    def homeless(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", homeless)
    assert "HOME" in refusal("data.root=~/x")


def test_a_tilde_in_a_dotenv_file_is_the_home_folder_too(tmp_path: Path):
    (tmp_path / ".env").write_text("CRACK_DATA_ROOT=~/photos\nCRACK_OUTPUT_ROOT=~/results\n")
    found = shown(tmp_path, HOME="/home/me")
    assert (found["data"]["root"], found["output_root"]) == ("/home/me/photos", "/home/me/results")


def test_every_variable_of_the_environment_that_is_a_path_is_known_as_one():
    text = "".join(path.read_text() for path in CONFIG_DIR.rglob("*.yaml"))
    assert set(re.findall(r"oc\.env:(\w+_ROOT)", text)) == ROOTS


@pytest.mark.parametrize("content", ["CRACK_DATA_ROOT=x".encode("utf-16"), "CRACK_DATA_ROOT=Straße".encode("latin-1")])
def test_a_dotenv_file_that_is_no_text_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes):
    (tmp_path / ".env").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHON_DOTENV_DISABLED", raising=False)
    assert str(tmp_path / ".env") in refusal()


def test_what_else_a_dotenv_file_holds_is_in_no_result(with_dotenv: tuple[Path, Path]):
    folder, _ = with_dotenv
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "best_model.pth" for path in written)
    assert not [path for path in written if b"canary-in-the-mine" in path.read_bytes()]
