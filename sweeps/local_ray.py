"""A Ray of this machine for one sweep. It starts in the background while the sweep is checked."""

import gc
import logging
import os
import subprocess
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial, partialmethod
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from trainable.resources import Resources

if TYPE_CHECKING:
    from sweeps.places import Changes, Place  # import Ray
    from sweeps.plan import SweepPlan

SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no report to Ray's makers
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # trials write their own TensorBoard events and JSON lines
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_TRAIN_COUNT_PREEMPTION_AS_FAILURE": "1",  # otherwise Tune itself starts the trial again
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # data.root and output_root are relative to the user's folder
    "RAY_worker_niceness": "0",  # with Ray's default of 15, any other load starves the trials
    "RAY_memory_monitor_refresh_ms": "0",  # Ray's monitor kills a trial, which ends the whole sweep
}
"""Ray's environment variables, with the values that are used unless the user has set others."""
PRELOADED = "trainable.preload"
ROOT = Path(__file__).parents[1]
ONE_SWEEP = "one_sweep"
"""A resource of Ray's that marks a Ray as that of one sweep: no other sweep may join it."""
IDLE_MS = 24 * 3600 * 1000
OBJECT_STORE_BYTES = 100 * 2**20  # trials share images through mapped files, not through Ray


def environment() -> dict[str, str]:
    """``SETTINGS``, as far as the user has not set others. They are to be set before ray is imported."""
    return {name: os.environ.get(name, value) for name, value in SETTINGS.items()}


class LocalRay:
    """Starts Ray in a thread, without dashboard, with a process for each trial that runs at once. Ends it with a block.

    These processes import what a trial needs as soon as they start (``trainable.preload``), and wait for a trial. Ray's
    login token is readable only by this user.
    """

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self._thread = ThreadPoolExecutor(1)
        self._started: Future[None] | None = None

    def __enter__(self) -> Self:
        os.environ.update(environment())
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        self._thread.shutdown()

    def start(self) -> None:
        """Start Ray in the background."""
        self._started = self._thread.submit(self._start)

    def wait(self) -> None:
        """Wait until Ray has started; an error of the start is raised here."""
        if self._started is not None:
            self._started.result()

    def stop(self, keep: object = None) -> None:
        """End Ray and its processes in the background. It takes a second; the block's end waits for it.

        ``keep``: what has handles of Ray's processes. It lives until Ray has ended: if one were freed meanwhile, Ray
        would end this process.
        """
        if self._started is not None:
            gc.collect()  # frees those that nothing has any more
            self._thread.submit(self._stop, keep)

    def check(self, plan: "SweepPlan") -> list[str]:
        """Nothing: trials run on the machine that has made the plan."""
        return []

    def places(self) -> "list[Place]":
        """The places on this machine."""
        from sweeps.places import places_here

        return places_here(self.resources)

    def changes(self) -> "Changes":
        """Nothing: the machine stays as it is."""
        from sweeps.places import Changes

        return Changes()

    def has_lost(self, place: "Place") -> bool:
        """Whether the machine of a place is gone; then this process would be gone too."""
        return False

    def give_up(self, place: "Place") -> None:
        """The machine of a place does not answer; this one is all there is."""

    def _stop(self, keep: object) -> None:
        import ray

        ray.shutdown()

    def _start(self) -> None:
        token = Path.home() / ".ray" / "auth_token"
        token.parent.mkdir(mode=0o700, exist_ok=True)
        token.parent.chmod(0o700)  # before Ray writes the token there; a umask would be inherited by the trials' files
        import ray

        with own_process_groups(), importable(ROOT), few_processes():
            ray.init(
                address="local",
                num_cpus=self.resources.trials_at_once,  # so many processes start; threads are the trial's own matter
                num_gpus=len(self.resources.cards),
                resources={ONE_SWEEP: 1},
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=OBJECT_STORE_BYTES,
                _system_config={
                    "preload_python_modules": [PRELOADED],
                    "idle_worker_killing_time_threshold_ms": IDLE_MS,  # by default a second: while the sweep is checked
                },
            )
        if token.is_file():  # the user may have configured another path for it
            token.chmod(0o600)


@contextmanager
def own_process_groups() -> Generator[None]:
    """Start all processes within the block in their own process groups, so that they do not get our signals.

    Otherwise a SIGTERM or SIGHUP from a terminal or batch system would also kill Ray's processes, and with them the
    running epochs. The kernel still ends them when our process ends.
    """
    start: Any = subprocess.Popen.__init__
    subprocess.Popen.__init__ = partialmethod(start, process_group=0)  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        subprocess.Popen.__init__ = start


@contextmanager
def few_processes() -> Generator[None]:
    """Start Ray without its autoscaler, its forwarder of logs and the server of its dashboard.

    A sweep needs none of them, and each is a Python process whose start takes a second of a core. Ray has no public
    settings for them: ``include_dashboard=False`` starts the server with fewer modules.
    """
    from ray._private import node, parameter

    settings, server = parameter.RayParams, node.Node.start_api_server

    def no_server(self: Any, **_: object) -> None:
        self._webui_url = ""

    parameter.RayParams = partial(settings, no_monitor=True, include_log_monitor=False)  # type: ignore[misc]
    node.Node.start_api_server = no_server  # type: ignore[method-assign]
    try:
        yield
    finally:
        parameter.RayParams, node.Node.start_api_server = settings, server  # type: ignore[misc]


@contextmanager
def importable(folder: Path) -> Generator[None]:
    """Let the processes that are started within import from ``folder``, also where this project is not installed."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), before]))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
