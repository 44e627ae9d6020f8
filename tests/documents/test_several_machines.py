"""The guide to several machines: its commands, on two nodes of this machine, with real trainings."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT
from commands import commands

from benchmarks.made_cluster import START, MadeCluster
from src.lines import read_lines
from sweeps.audit import audit
from tests.documents.test_documents import few_trials

GUIDE = ROOT / "docs" / "guides" / "several_machines.md"
SETTINGS, MAKE_TOKEN, HEAD, NODE, DRY, RUN, RESUME, RETRAIN = commands(GUIDE.read_text())


def test_nodes_are_started_as_the_guide_says():
    assert shlex.split(HEAD)[:3] == ["ray", "start", "--head"]
    assert HEAD.partition("=")[0] == "ray start --head --node-ip-address"
    assert NODE.partition("=")[0] == "ray start --address"
    settings = dict(word.split("=") for word in shlex.split(SETTINGS)[1:])
    assert settings == {"RAY_AUTH_MODE": "token"} | START


@pytest.mark.slow
def test_a_sweep_runs_on_two_nodes_as_the_guide_says(tiny: list[str], tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir()
    variables = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")} | {"HOME": str(home)}
    program, *words = shlex.split(MAKE_TOKEN)
    token = [str(Path(sys.executable).with_name(program)), *words]
    subprocess.run(token, env=variables | {"RAY_AUTH_MODE": "token"}, check=True, capture_output=True)
    few = [word for word in few_trials(tiny) if word not in ("--trials-at-once", "1")]
    few = [*few[: few.index("--trials")], "--trials", "4", "--max-epochs", "3"]
    root = f"output_root={tmp_path / 'outputs'}"
    with MadeCluster(HOME=str(home)) as cluster:
        cluster.start(3)
        environment = cluster.environment() | {"RAY_ADDRESS": cluster.address}  # this machine may have another Ray

        def run(command: str, *more: str) -> str:
            program, *words = shlex.split(command)
            own = [sys.executable] if program == "python" else [str(Path(sys.executable).with_name(program))]
            done = subprocess.run(
                [*own, *words, *more], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        said = run(DRY, *few)
        for part in (
            "(127.0.0.2): cores 1, trials at once 1",
            "(127.0.0.3): cores 1",
            "2 at once on 2 nodes",
            "an epoch takes",
        ):
            assert part in said
        assert "--address auto --resume --epochs 2" in run(RUN, *few, "--epochs", "1")
        assert "retrain-best swin_unet_lr" in run(RESUME, root, "--epochs", "99")
        said = run(RETRAIN, "--seeds", "1", "--output-root", str(tmp_path / "outputs"))
        assert "with only one seed" in said or "no other configuration is better" in said
    folder = tmp_path / "outputs" / "sweeps" / "swin_unet_lr"
    assert audit(folder) == []
    lines = [line for path in folder.glob("t*/result.json") for line in read_lines(path)]
    assert {line["host"] for line in lines} == {os.uname().nodename}
    assert {line["attempt"] for line in lines} >= {1}
