"""The benchmarks of the search: do they measure what they say?"""

import json
import logging
import math
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from benchmarks import crack_table, parallel_search, warm_start
from benchmarks import search_efficiency as efficiency
from benchmarks.landscapes import cracks, landscape, lcbench, made_cracks
from benchmarks.landscapes.families import FAMILIES
from benchmarks.landscapes.landscape import Report, World, random_points, reference, restricted, space_of
from benchmarks.searches.methods import METHODS, PACKAGES
from benchmarks.searches.optuna_searches import BRACKET, identity_of
from benchmarks.searches.searched import Searched, Trainings
from src.errors import UserError
from src.lines import append_line, read_lines
from sweeps.search.space import distributions
from sweeps.search.trial import ranked

FOLDERS = {"lcbench": "lcbench", "xgboost": "rbv2_xgboost", "taskset": "taskset"}
HERE = {"made_cracks": True, **{family: (landscape.SHARED / folder).is_dir() for family, folder in FOLDERS.items()}}
WHY = f"their data is not in {landscape.SHARED}"
FEW = [pytest.param(name, marks=pytest.mark.skipif(not here, reason=WHY)) for name, here in HERE.items()]
AT_ONCE = [name for name in METHODS if name not in PACKAGES]
"""The methods that need no further package."""


@pytest.fixture(autouse=True)
def references(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landscape, "REFERENCES", tmp_path_factory.getbasetemp() / "references")


def job(method: str, family: str = "made_cracks", seed: int = 0, noise: float = 0.0) -> efficiency.Job:
    return efficiency.Job(method, family, FAMILIES[family].develop()[0], seed, noise)


@pytest.mark.parametrize("family", FEW)
def test_a_landscape_has_a_curve_for_every_point_of_its_space(family: str):
    one = FAMILIES[family].build(FAMILIES[family].develop()[0])
    points = list(islice(random_points(space_of(one.keys), 0), 8))
    truths = one.truths(points)
    assert truths.shape == (8, one.epochs)
    for point, truth in zip(points, truths, strict=True):
        assert distributions(space_of(one.keys), point) is not None
        values = one.values(point, np.random.default_rng(3))
        assert values.shape == truth.shape
        np.testing.assert_array_equal(values, one.values(point, np.random.default_rng(3)))
        np.testing.assert_array_equal(truth, one.truths([point])[0])


@pytest.mark.parametrize("family", FEW)
def test_regret_is_one_for_the_median_and_zero_for_the_best_of_random_trainings(family: str):
    one = FAMILIES[family].build(FAMILIES[family].develop()[0])
    median, best = reference(one)
    points = list(islice(random_points(space_of(one.keys), 7), 200))
    ends = np.nan_to_num(one.truths(points)).max(axis=1)
    regrets = (best - ends) / (best - median)
    assert np.median(regrets) == pytest.approx(1.0, abs=0.25)
    assert regrets.min() > -0.1


def test_a_default_is_where_the_search_begins():
    with_default, without = (FAMILIES[name].build("0") for name in ("made_cracks_default", "made_cracks"))
    assert World(with_default, 0).first == World(with_default, 1).first == made_cracks.SENSIBLE
    assert World(without, 0).first != World(without, 1).first
    assert reference(with_default) == reference(without)


def test_keys_that_do_not_apply_are_left_out_of_a_point():
    keys = made_cracks.MadeCracks.keys
    point = {**made_cracks.SENSIBLE, "gamma": 2.0, "alpha": 0.5, "momentum": 0.9}
    assert restricted(keys, point) == made_cracks.SENSIBLE
    assert restricted(keys, {**point, "loss": "focal", "optim": "sgd"}).keys() == {*point} - {"alpha"}


def test_a_training_that_fails_ends_there():
    world = World(made_cracks.MadeCracks("0"), 0)
    too_large = {**made_cracks.SENSIBLE, "batch": 32, "size": 512, "encoder": "mit_b2"}
    (only,) = world.train(0, too_large)
    assert math.isnan(only.value)
    assert only.truth == 0


@pytest.mark.parametrize("method", AT_ONCE)
def test_a_search_spends_its_budget_and_is_the_same_again(method: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(FAMILIES, "made_cracks", FAMILIES["made_cracks"]._replace(budget=2))
    found = efficiency.searched(job(method))
    assert len(found["regret"]) == 2 * made_cracks.MadeCracks.epochs
    assert found["regret"] == efficiency.searched(job(method))["regret"]
    assert found["trials"] >= 2
    assert 0 <= found["at_bounds"] <= 0.6


@pytest.mark.skipif(not HERE["lcbench"], reason=WHY)
def test_without_noise_the_pick_only_gets_better_and_with_noise_it_is_scored_without():
    quiet = efficiency.searched(job("random", "lcbench"))["regret"]
    assert (np.diff(quiet) <= 0).all()
    assert quiet[-1] < quiet[0]
    one = lcbench.LCBench(lcbench.DEVELOP[0], noise=50.0)
    world = World(one, 0)
    reports = list(islice(METHODS["random"](world), 150))
    legal = {round(report.truth, 6) for report in reports}
    scale = reference(one)
    for regret in efficiency.regrets(iter(reports), one):
        if abs(regret) < 1:
            assert round(scale.best - regret * (scale.best - scale.median), 6) in legal


def test_the_pick_is_the_trial_with_the_best_report_scored_by_its_best_truth():
    one = made_cracks.MadeCracks("0")
    median, best = reference(one)
    reports = [Report(0, 10.0, 30.0), Report(1, math.nan, 0.0), Report(2, 50.0, 20.0), Report(0, 40.0, 35.0)]
    found = efficiency.regrets(iter(reports), one)
    expected = [(best - truth) / (best - median) for truth in (30.0, 30.0, 20.0, 20.0)]
    assert found == pytest.approx(np.clip(expected, -1, 1))


def test_numbers_at_the_bounds_are_counted_on_their_scale():
    world = World(made_cracks.MadeCracks("0"), 0)
    inside = made_cracks.SENSIBLE
    assert efficiency.share_at_bounds(world, [inside]) == 0
    # lr, wd, batch, aug and decoder_dropout are the numbers of this branch
    assert efficiency.share_at_bounds(world, [{**inside, "lr": 1.05e-5, "aug": 0.995}]) == pytest.approx(2 / 5)
    assert efficiency.share_at_bounds(world, [{**inside, "lr": 1.3e-5}]) == 0


def test_what_is_kept_is_not_searched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(FAMILIES, "made_cracks", FAMILIES["made_cracks"]._replace(budget=1))
    first = efficiency.searched(job("random"), keep=tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_text(json.dumps({**first, "cpu_seconds": -1.0}))
    assert efficiency.searched(job("random"), keep=tmp_path)["cpu_seconds"] == -1


def test_the_table_has_paired_differences_to_ours(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def made_up(job: efficiency.Job, keep: Path | None = None) -> dict[str, object]:
        level = int(job.task) / 10 + (0.25 if job.method == "random" else 0) + (0.1 if job.seed else -0.1)
        return {"regret": [level] * 270, "at_bounds": 0.5, "trials": 10, "cpu_seconds": 1.0}

    found = {one: made_up(one) for one in (efficiency.Job(method, "made_cracks", task, seed, 0.0)
             for method in ("ours", "random") for task in "012" for seed in (0, 1))}  # fmt: skip
    efficiency.Console(width=180).print(efficiency.table(found, ["ours", "random"], 10))
    said = capsys.readouterr().out
    ours, random = (
        next(line for line in said.splitlines() if line.split()[:1] == [name]) for name in ("ours", "random")
    )
    assert ours.split()[1:4] == ["0.10", "±", "0.06"]  # sd 0.1 of three tasks
    assert "0.25 ± 0.00" in random


def test_a_package_that_is_not_installed_is_skipped_with_a_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(efficiency.PACKAGES, "smac", "no_such_package")
    assert "no_such_package is not installed; make peers" in efficiency.missing("smac", has_default=False)
    assert "needs a default" in efficiency.missing("priorband", has_default=False)
    assert not efficiency.missing("ours", has_default=False)


@pytest.mark.parametrize(
    "words", [["nonsense"], ["made_cracks", "--noise", "1"], ["made_cracks", "--methods", "magic"]]
)
def test_a_wrong_word_of_the_benchmark_is_refused(words: list[str]):
    with pytest.raises(UserError, match=words[-1] if "--methods" in words else words[0]):
        efficiency.main(words)


def test_a_training_that_is_asked_for_again_continues_and_a_failed_one_counts_as_the_worst():
    class Short:
        def train(self, trial: int, point: object) -> Iterator[Report]:
            yield from (Report(trial, value, 0.0) for value in ((0.3, 0.4, 0.5), (0.6, math.nan))[trial])

    trainings = Trainings(cast(Searched, Short()))

    def to(key: str, epochs: int) -> tuple[int, float]:
        spent = 0
        steps = trainings.to(key, {}, epochs)
        while True:
            try:
                next(steps)
                spent += 1
            except StopIteration as end:
                return spent, end.value

    assert to("a", 2) == (2, 0.4)
    assert to("a", 3) == (1, 0.5)
    assert to("a", 1) == (0, 0.3)
    assert to("b", 2) == (2, 0.3)


def test_a_search_that_was_closed_leaves_logging_as_it_was():
    search = METHODS["tpe_hyperband"](World(made_cracks.MadeCracks("0"), 0))
    next(search)
    assert not logging.getLogger("any").isEnabledFor(logging.WARNING)
    search.close()  # type: ignore[attr-defined]
    assert logging.getLogger("any").isEnabledFor(logging.WARNING)


@pytest.mark.parametrize("method", PACKAGES)
def test_a_peer_begins_with_the_default_goes_on_with_what_it_promotes_and_survives_failures(method: str):
    pytest.importorskip(PACKAGES[method], reason="make peers")
    world = World(made_cracks.MadeCracks("0", default=True), 0)
    reports = list(islice(METHODS[method](world), 6 * 27))
    assert world.points[0] == made_cracks.SENSIBLE
    assert [report.trial for report in reports[:27]] == [0] * 27
    epochs = Counter(report.trial for report in reports)
    assert max(epochs.values()) <= 27
    assert len({*epochs.values()}) > 2  # some are stopped, and at several rungs
    assert any(math.isnan(report.value) for report in reports)
    for point in world.points.values():
        assert distributions(world.space, point) is not None


@pytest.mark.parametrize("family", FEW)
def test_the_tasks_for_decisions_and_for_checking_exist_and_are_others(family: str):
    develop, check = FAMILIES[family].develop(), FAMILIES[family].check
    assert not {*develop} & {*check}
    names = {FAMILIES[family].build(task).name for task in [*develop, *check]}
    assert len(names) == len(develop) + len(check)


def test_only_tasks_that_nothing_was_decided_on_are_for_checking():
    with pytest.raises(UserError, match="fcnet"):
        efficiency.main(["fcnet", "--check", "--methods", "random"])


def test_the_rungs_of_ray_stop_what_is_below_the_best_quarter():
    bracket = BRACKET(1, 51, 4, 0)
    decisions = [bracket.on_result(identity_of(n), 1, value) for n, value in enumerate([0.1, 0.3, 0.2, 0.4])]
    assert decisions == ["CONTINUE", "CONTINUE", "STOP", "CONTINUE"]


def test_more_places_end_the_same_number_of_trials_in_less_time():
    one = parallel_search.Job(1, 9, "made_cracks", "0", 0)
    alone, together = (parallel_search.search(one._replace(places=places)) for places in (1, 4))
    assert together.time < alone.time
    assert alone.epochs >= 9  # of which the first rung is 2, and some fail
    assert parallel_search.search(one._replace(places=4)) == together
    assert 0 <= alone.random <= 1


def test_what_misleads_says_of_the_best_trial_elsewhere_that_it_is_the_worst():
    one = warm_start.Job("misled", "made_cracks", "0", "1", 0)
    trials = warm_start.found_in(one, epochs=1)
    turned = ranked(warm_start.turned_over(trials))
    scored = [trial.name for trial in trials if trial.score is not None]
    assert [trial.name for trial in turned if trial.score is not None] == scored[::-1]
    first = min(epoch for trial in trials for epoch in trial.values)
    values, others = ({trial.name: trial.values.get(first) for trial in these} for these in (trials, turned))
    there = [name for name, value in values.items() if value is not None]
    assert sorted(there, key=lambda name: values[name]) == sorted(there, key=lambda name: -others[name])  # type: ignore


def test_only_a_search_that_is_not_cold_knows_the_other_task(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(FAMILIES, "made_cracks", FAMILIES["made_cracks"]._replace(budget=1))
    cold, warm = (
        warm_start.searched(warm_start.Job(start, "made_cracks", "0", "1", 0)) for start in warm_start.STARTS[:2]
    )
    assert len(cold) == len(warm) == 27
    assert cold != warm
    other = warm_start.searched(warm_start.Job("cold", "made_cracks", "0", "2", 0))
    assert other == cold


def test_the_configurations_of_a_crack_table_are_its_default_and_its_own_and_then_new_ones():
    found = crack_table.configurations([], 30)
    assert found[:5] == crack_table.configurations([], 5)
    assert found[0]["training.optimizer.lr_scale"] == 1.0
    for params in found:
        assert distributions(crack_table.SPEC.space, params) is not None
    assert len({json.dumps(params) for params in found}) == 30
    elsewhere = found[7] | {"training.optimizer.lr_scale": 2.5}  # of a table that was begun with other random points
    assert crack_table.configurations([{"params": elsewhere}], 31) == [found[0], elsewhere, *found[1:30]]


@pytest.mark.parametrize("table", ["cfd", "sut"])
def test_the_recorded_tables_are_of_the_space_that_is_searched(table: str):
    lines = read_lines(crack_table.TABLES / f"{table}.jsonl")
    assert lines
    for line in lines:
        assert distributions(crack_table.SPEC.space, line["params"]) is not None
        assert len(line["values"]) <= 27
    once = {(crack_table.identity(line["params"]), line["seed"]) for line in lines}
    assert len(once) == len(lines)


@pytest.mark.slow
def test_a_crack_table_is_trained_and_continues_where_it_was_stopped(tiny_data: Path, tmp_path: Path):
    words = ["try", str(tiny_data), "--configurations", "1", "--processes", "1", "--folder", str(tmp_path)]
    crack_table.main([*words, "--seeds", "1"])
    crack_table.main([*words, "--seeds", "2"])
    lines = read_lines(tmp_path / "try.jsonl")
    assert [line["seed"] for line in lines] == [0, 1]
    assert lines[0]["params"] == lines[1]["params"]
    assert all(len(line["values"]) == 27 for line in lines)
    assert lines[0]["values"] != lines[1]["values"]


def test_a_table_of_cracks_is_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cracks, "TABLES", tmp_path)
    random = np.random.default_rng(0)
    for seed in (0, 1):
        for number, params in enumerate(crack_table.configurations([], 12)):
            values = sorted(random.random(27 if number else 20).round(3).tolist())
            append_line(tmp_path / "made.jsonl", {"seed": seed, "params": params, "values": values})
    table = cracks.Cracks("made", default=True)
    points = crack_table.configurations([], 12)
    assert table.default == points[0]
    truths = table.truths(points)
    lines = read_lines(tmp_path / "made.jsonl")
    both = np.array([line["values"] for line in lines if line["params"] == points[5]]) * 100
    assert len(both) == 2
    assert truths[5] == pytest.approx(both.mean(axis=0))
    assert table.values(points[5], np.random.default_rng(0)).tolist() in both.tolist()
    assert np.isnan(truths[0][20:]).all()  # it has failed
    with pytest.raises(UserError, match="made"):
        cracks.Cracks("other")
