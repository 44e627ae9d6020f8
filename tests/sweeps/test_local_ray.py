"""The Ray of one sweep."""

import json
import os
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from checkout import ROOT
from ray._private import node, parameter

from sweeps.local_ray import SETTINGS, LocalRay, environment, few_processes, importable, own_process_groups
from trainable.resources import Resources


def test_settings_of_the_user_are_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RAY_worker_niceness", "7")
    monkeypatch.delenv("RAY_AIR_NEW_OUTPUT", raising=False)
    found = environment()
    assert found.keys() == SETTINGS.keys()
    assert found["RAY_worker_niceness"] == "7"
    assert found["RAY_AIR_NEW_OUTPUT"] == SETTINGS["RAY_AIR_NEW_OUTPUT"]


@pytest.mark.parametrize("before", [None, "/somewhere"])
def test_processes_that_are_started_find_the_project_and_later_ones_what_was_set_before(
    before: str | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    if before:
        monkeypatch.setenv("PYTHONPATH", before)
    with importable(Path("/project")):
        assert os.environ["PYTHONPATH"].split(os.pathsep) == ["/project", *([before] if before else [])]
    assert os.environ.get("PYTHONPATH") == before


def test_a_process_that_is_started_gets_none_of_our_signals():
    code = "import time; time.sleep(60)"
    with own_process_groups():
        process = subprocess.Popen([sys.executable, "-c", code])
    try:
        assert os.getpgid(process.pid) == process.pid != os.getpgid(0)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def test_what_has_handles_of_ray_lives_until_ray_has_ended(monkeypatch: pytest.MonkeyPatch):
    class Held:
        """A place's handle."""

    lived = list[bool]()
    monkeypatch.setattr(LocalRay, "_start", lambda self: None)
    monkeypatch.setattr("ray.shutdown", lambda: (time.sleep(0.05), lived.append(seen() is not None)))
    with LocalRay(Resources(2, 1)) as ray:
        ray.wait()
        held = Held()
        seen = weakref.ref(held)
        ray.stop(keep=held)
        del held
    assert lived == [True, False]  # the block's end stops Ray again
    assert seen() is None


def test_rays_own_settings_are_as_before_after_its_start():
    settings, server = parameter.RayParams, node.Node.start_api_server
    with few_processes():
        assert parameter.RayParams is not settings
        started = parameter.RayParams()
        assert started.no_monitor
        assert not started.include_log_monitor
    assert parameter.RayParams is settings
    assert node.Node.start_api_server is server


def test_an_error_of_the_start_is_raised_to_who_waits_for_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    (tmp_path / "file").touch()
    with LocalRay(Resources(1, 1)) as ray, pytest.raises(NotADirectoryError):
        ray.wait()


ASK = """
import json, os, sys, time
sys.path.insert(0, "{root}")
from sweeps.local_ray import LocalRay
from trainable.resources import Resources
with LocalRay(Resources(2, 1)) as local:
    local.wait()
    import ray
    time.sleep(3)  # longer than Ray keeps idle processes by default

    @ray.remote(num_cpus=1)
    class Asked:
        def loaded(self):
            import os, sys
            return os.getpid(), "trainable.trial" in sys.modules

    actors = [Asked.remote() for _ in range(2)]
    print(json.dumps(ray.get([actor.loaded.remote() for actor in actors])))
"""


@pytest.mark.slow
def test_a_process_for_each_place_waits_with_all_imported(tmp_path: Path):
    with TemporaryDirectory() as ray_home:  # a socket's path must be short
        done = subprocess.run(
            [sys.executable, "-c", ASK.format(root=ROOT)],
            cwd=tmp_path,  # the project is found from anywhere
            env=os.environ | {"RAY_TMPDIR": ray_home},
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.splitlines()[-1])
    assert len({pid for pid, _ in answers}) == 2
    assert all(loaded for _, loaded in answers)
