"""A sweep on a real Ray cluster of several nodes; trials only sleep, all else is real."""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from benchmarks.made_cluster import MadeCluster
from benchmarks.sleeping_trial import HELD
from src.errors import EXIT_USER
from src.lines import read_lines
from sweeps.audit import audit
from sweeps.cluster.cluster import Cluster, gpus_of, node_of
from sweeps.cluster.newcomers import Newcomers
from sweeps.ledger import LEDGER_FILE, Ledger
from sweeps.places import Changes
from sweeps.search.budget import Budget
from sweeps.search.events import Lost, PlacesChanged, Reported, SessionBegan
from trainable.resources import Before, Node

SLEEP_SECONDS = 0.3
PATIENCE_SECONDS = 90.0
SET_BY_THE_SWEEP = ("training.", "seed", "threads")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the processes of trials write a line for each epoch."""
    return tmp_path_factory.mktemp("trained")


@pytest.fixture(scope="module")
def cluster(trained: Path) -> Iterator[MadeCluster]:
    """A head and one node with a core each, which work in two folders."""
    with MadeCluster(SLEEP=str(SLEEP_SECONDS), TRAINED=str(trained)) as cluster:
        elsewhere = cluster.folder / "elsewhere"
        elsewhere.mkdir()
        cluster.start(3, folder=elsewhere)
        yield cluster


def command(cluster: MadeCluster, *words: str) -> subprocess.Popen[str]:
    """Start ``sweeps.run`` with sleeping trials."""
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.sleeping_sweep", "quickstart", "--address", cluster.address, *words],
        cwd=cluster.folder,
        env=cluster.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def epochs(trained: Path) -> list[dict[str, Any]]:
    return read_lines(trained / "epochs.jsonl")


def wait_for(done: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.slow
def test_a_node_that_sees_another_folder_is_refused_before_the_first_trial(
    cluster: MadeCluster, tiny: list[str], trained: Path
):
    """Where ``/proc/self/cwd`` leads, depends on the process: so nodes in two folders see two disks."""
    words = [word for word in tiny if not word.startswith(("output_root", *SET_BY_THE_SWEEP))]
    refused = command(cluster, *words, "output_root=/proc/self/cwd/outputs", "--trials", "2")
    said, _ = refused.communicate(timeout=PATIENCE_SECONDS)
    assert refused.returncode == EXIT_USER
    (error,) = (line for line in said.splitlines() if line.startswith("error: "))
    assert "(127.0.0.3): /proc/self/cwd" in error
    assert "(127.0.0.2)" not in error
    assert not epochs(trained)


@pytest.mark.slow
def test_more_cards_than_the_nodes_have_are_refused(cluster: MadeCluster, tiny: list[str]):
    own = [word for word in tiny if not word.startswith((*SET_BY_THE_SWEEP, "device="))]
    refused = command(cluster, *own, "--gpus", "1")
    said, _ = refused.communicate(timeout=PATIENCE_SECONDS)
    assert refused.returncode == EXIT_USER
    assert "gpus=1" in said.splitlines()[-1]


@pytest.mark.slow
def test_a_sweep_goes_on_where_nodes_die_and_join_and_its_own_process_is_killed(
    cluster: MadeCluster, trained: Path, tiny_data: Path, tiny_cache: Path, tmp_path: Path
):
    root = f"output_root={tmp_path}"
    words = [root, f"data.root={tiny_data}", f"data.cache_dir={tiny_cache}", "data.image_size=[32,32]", "device=cpu"]
    sweep = command(cluster, *words, "--trials", "16", "--max-epochs", "9")
    wait_for(lambda: {line["node"] for line in epochs(trained)} == {"127.0.0.2", "127.0.0.3"})
    (trained / HELD).write_text("127.0.0.2")  # so the sweep cannot end before it is killed
    cluster.kill(3)
    cluster.start(4)
    wait_for(lambda: sum(line["node"] == "127.0.0.4" for line in epochs(trained)) > 3)  # a node that joins does work
    sweep.kill()
    sweep.communicate()
    (trained / HELD).unlink()
    wait_for(lambda: not cluster.trials(2) + cluster.trials(4))  # the processes end with the sweep
    folder = tmp_path / "sweeps" / "quickstart"
    assert not [line for line in audit(folder) if "leaderboard" not in line]  # which is written at the end
    said, _ = command(cluster, root, "--resume").communicate(timeout=PATIENCE_SECONDS)
    assert "All results" in said
    assert audit(folder) == []  # also that the ledger's decisions are those of its rules
    ledger = Ledger(folder / LEDGER_FILE, read_only=True)
    events = [record.event for record in ledger.records()]
    assert len(ledger.trials()) == 16
    assert {row["state"] for row in ledger.trials()} == {"complete", "stopped"}
    assert sum(isinstance(event, SessionBegan) for event in events) == 2
    (lost,) = (event.reason for event in events if isinstance(event, Lost))
    assert "(127.0.0.3)" in lost
    assert [event.places for event in events if isinstance(event, PlacesChanged)] == [1, 2]
    reported = Counter((event.trial, event.epoch) for event in events if isinstance(event, Reported))
    assert set(reported.values()) == {1}
    again = Counter((line["trial"], line["epoch"]) for line in epochs(trained))
    assert sum(count - 1 for count in again.values()) <= 3  # of the trial on the node, and of two under the command


@pytest.mark.slow
def test_the_cards_of_all_nodes_are_shared_evenly(tiny: list[str], tmp_path: Path):
    """Two nodes with two made-up cards each, and two trials on each card; the head has none, and is not used."""
    words = [word for word in tiny if not word.startswith((*SET_BY_THE_SWEEP, "device="))]
    with MadeCluster(cores=4, SLEEP="1.0", TRAINED=str(tmp_path)) as cluster:
        cluster.start(3, "--num-gpus=2")
        cluster.start(4, "--num-gpus=2")
        sweep = command(cluster, *words, "--trials", "16", "--max-epochs", "3", "--trials-at-once", "8")
        said, _ = sweep.communicate(timeout=PATIENCE_SECONDS)
    assert "8 at once on 2 nodes, each on" in said
    processes = {(line["node"], line["cards"], line["pid"]) for line in epochs(tmp_path)}
    cards = Counter((node, card) for node, card, _ in processes)
    assert cards == {(f"127.0.0.{node}", card): 2 for node in (3, 4) for card in ("0", "1")}


@pytest.mark.slow
def test_a_sweep_without_any_node_waits_for_one(tiny: list[str], tmp_path: Path):
    """The head has no cores. The only node dies twice, once while it trains, and comes back at the same address."""
    words = [word for word in tiny if not word.startswith(SET_BY_THE_SWEEP)]
    with MadeCluster(head_cores=0, SLEEP="0.3", TRAINED=str(tmp_path)) as cluster:
        cluster.start(3)
        sweep = command(cluster, *words, "--trials", "6", "--max-epochs", "9")
        for _ in range(2):
            before = len(epochs(tmp_path))
            wait_for(lambda before=before: len(epochs(tmp_path)) > before + 2)
            cluster.kill(3)
            time.sleep(5.0)
            cluster.start(3)
        said, _ = sweep.communicate(timeout=PATIENCE_SECONDS)
    assert sweep.returncode == 0
    assert "Trials at once now: none" in said
    (folder,) = tmp_path.glob("outputs/sweeps/quickstart")
    assert audit(folder) == []


@pytest.mark.slow
def test_a_sweep_without_any_node_ends_at_the_first_signal(tiny: list[str], tmp_path: Path):
    words = [word for word in tiny if not word.startswith(SET_BY_THE_SWEEP)]
    with MadeCluster(head_cores=0, SLEEP="0.3", TRAINED=str(tmp_path)) as cluster:
        cluster.start(3)
        sweep = command(cluster, *words, "--trials", "6", "--max-epochs", "9")
        wait_for(lambda: len(epochs(tmp_path)) > 2)
        cluster.kill(3)
        time.sleep(5.0)
        sweep.send_signal(signal.SIGTERM)
        said, _ = sweep.communicate(timeout=30)
    assert sweep.returncode == 128 + signal.SIGTERM
    assert "--resume" in said


ABOUT = {
    "NodeID": "a1",
    "NodeManagerAddress": "10.0.0.7",
    "NodeManagerHostname": "node7",
    "Resources": {"CPU": 8.0, "GPU": 2.0},
}


def test_a_node_has_the_cores_and_cards_that_ray_may_give():
    node = node_of(ABOUT)
    assert (str(node), node.cores, node.cards) == ("node7 (10.0.0.7)", 8, ())
    assert (gpus_of(ABOUT, "auto"), gpus_of(ABOUT, "cpu")) == (2, 0)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """Of two nodes with four cores each, without Ray; ``alive`` is what Ray would say of them."""
    cluster = Cluster("node7:6379", "cpu", Budget(trials=1))
    about = {key: ABOUT | {"NodeID": key, "Resources": {"CPU": 4.0}} for key in ("a1", "b2")}
    cluster.nodes = {key: node_of(one) for key, one in about.items()}
    cluster._share()
    monkeypatch.setattr(cluster, "alive", about, raising=False)
    monkeypatch.setattr(cluster, "_alive", lambda: cluster.__dict__["alive"])
    monkeypatch.setattr("sweeps.cluster.cluster.LOOK_SECONDS", -1.0)
    monkeypatch.setattr("sweeps.cluster.cluster.DEATH_SECONDS", 0.2)
    cluster.newcomers = cast(Newcomers, Asking())
    return cluster


class Asking:
    """Takes every node as one that lacks nothing, as soon as it is judged."""

    def __init__(self) -> None:
        self.asked: dict[str, Node] = {}
        self.refused = set[str]()

    def ask(self, node: Node, gpus: int) -> None:
        self.asked[node.id] = node

    def judge(self, alive: Any) -> tuple[list[Node], list[str]]:
        passed, self.asked = [*self.asked.values()], {}
        return passed, []


def test_a_node_that_does_not_answer_loses_its_places_and_gets_new_ones_after_the_checks(made: Cluster):
    places = made.places()
    assert len(places) == 8
    assert made.changes() == Changes()
    made.give_up(places[0])
    changes = made.changes()
    assert changes.gone == {"a1"}
    assert changes.said == ["node7 (10.0.0.7) does not answer", "node7 (10.0.0.7) has joined"]
    assert len(changes.new) == 4
    assert not {place.number for place in changes.new} & {place.number for place in places}


def test_a_node_that_is_gone_and_one_that_comes_back_under_another_id_change_the_places(made: Cluster):
    made.places()
    back = made.__dict__["alive"].pop("a1")
    assert made.changes().gone == {"a1"}
    made.__dict__["alive"]["c3"] = back | {"NodeID": "c3"}
    assert [place.node and place.node.id for place in made.changes().new] == ["c3"] * 4


def test_no_more_trials_than_asked_for_run_and_another_node_takes_over_for_one_that_is_gone(made: Cluster):
    made.budget, made.before = Budget(trials=1, trials_at_once=4), Before(cores_per_trial=1, trials_per_card=0)
    made._share()
    places = made.places()
    assert len(places) == made.limit == 4
    first = places[0].node
    assert first
    del made.__dict__["alive"][first.id]
    assert [place.node != first for place in made.changes().new] == [True] * 4


def test_many_processes_that_die_together_are_waited_for_once(made: Cluster):
    places, begin = made.places(), time.monotonic()
    assert not any(made.has_lost(place) for place in places[:4])
    assert time.monotonic() - begin < 4 * 0.2
    del made.__dict__["alive"]["b2"]
    assert made.has_lost(places[-1])
