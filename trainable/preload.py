"""Imports what a trial needs into a process that waits for one. Ray imports it into each process that it starts."""

import gc
import os
from importlib import import_module

from src.imports import quick_imports

os.environ["HF_HUB_OFFLINE"] = "1"  # the checks have downloaded all weights; trials must not download at once
with quick_imports():
    for name in ("trainable.ray_trial", "trainable.trial", "trainable.smoke_test"):
        import_module(name)
    gc.freeze()  # what was imported stays: neither the collection now nor those between two trials look at it
