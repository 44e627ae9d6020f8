"""``sweeps.run`` with trials that only sleep: ``python -m benchmarks.sleeping_sweep quickstart --address auto ...``.

Everything else is real: the command, the ledger, the checks of nodes, Ray. ``--check`` has the same to say. Graphics
cards are made up: torch need not find those that Ray has.
"""

import sweeps.cluster.checks
import sweeps.cluster.cluster
import sweeps.cluster.newcomers
import sweeps.ray_executor
from benchmarks.sleeping_trial import Sleeping, made_up_cards
from src.errors import leave, run_command
from sweeps.run import main

if __name__ == "__main__":
    sweeps.cluster.checks.LEAST_MIB = 200  # no torch
    sweeps.cluster.cluster.look_for_cards = sweeps.cluster.newcomers.look_for_cards = made_up_cards
    sweeps.ray_executor.CrackTrial = Sleeping  # pyright: ignore[reportAttributeAccessIssue]
    leave(run_command(main))
