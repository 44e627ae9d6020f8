"""What a process imports while it waits for a trial."""

import json
import os
import subprocess
import sys

from checkout import ROOT

CODE = """
import json, os, sys
import torch
asked = []
for name in ("is_available", "device_count", "init", "_lazy_init", "current_device", "get_device_properties"):
    setattr(torch.cuda, name, lambda *_, name=name: asked.append(name) or 0)
import trainable.preload
loaded = [name for name in ("trainable.trial", "trainable.smoke_test", "trainable.ray_trial") if name in sys.modules]
print(json.dumps([asked, os.environ["HF_HUB_OFFLINE"], loaded]))
"""


def test_it_loads_all_that_a_trial_needs_and_asks_nothing_of_a_card():
    """Ray says which card a process may use only when a trial comes; CUDA reads that once."""
    env = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    done = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    asked, offline, loaded = json.loads(done.stdout)
    assert not asked
    assert offline == "1"
    assert len(loaded) == 3
