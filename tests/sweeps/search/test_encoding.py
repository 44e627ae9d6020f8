"""Points of a space as vectors."""

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler
from scipy import stats

from sweeps.search.encoding import MIDDLE, NOT_THERE, Encoding, is_ordered, place_of, value_at
from sweeps.search.space import Params, Space, as_function, distributions

FLAT: dict[str, BaseDistribution] = {
    "lr": FloatDistribution(1e-4, 1e-1, log=True),
    "batch": IntDistribution(2, 32, log=True),
    "depth": IntDistribution(1, 5),
    "drop": FloatDistribution(0.0, 0.5, step=0.1),
    "even": IntDistribution(0, 10, step=2),
    "size": CategoricalDistribution([256, 384, 512]),
    "loss": CategoricalDistribution(["dice", "bce", None]),
    "alone": FloatDistribution(0.3, 0.3),
}


def conditional(trial: optuna.Trial) -> None:
    optimizer = trial.suggest_categorical("optimizer", ["adam", "sgd", "lion"])
    trial.suggest_float("decay", *((1e-5, 1e-2) if optimizer == "sgd" else (1e-3, 1e-1)), log=True)
    if optimizer == "sgd" and trial.suggest_categorical("nesterov", [True, False]):
        trial.suggest_float("momentum", 0.5, 0.99)


def by_number(trial: optuna.Trial) -> None:
    """A branch that no choice opens, which its corners still show."""
    if trial.suggest_float("lr", 0.0, 1.0) > 0.7:
        trial.suggest_int("deep", 3, 7)


def hidden(trial: optuna.Trial) -> None:
    """A key that no corner of the space has."""
    if 0.4 < trial.suggest_float("lr", 0.0, 1.0) < 0.6:
        trial.suggest_categorical("inner", ["a", "b"])


SPACES = {"flat": FLAT, "conditional": conditional, "by number": by_number, "hidden": hidden}
each = pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)


def random_point(space: Space, seed: int) -> Params:
    trial = optuna.create_study(sampler=RandomSampler(seed=seed)).ask()
    as_function(space)(trial)
    return trial.params


@each
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_point_survives_being_encoded_and_decoded(space: Space, seed: int):
    encoding, point = Encoding(space), random_point(space, seed)
    vector = encoding.encode(point)
    assert vector is not None
    again = encoding.decode(vector, np.random.default_rng(0))
    if "inner" not in point:
        assert again.params == pytest.approx(point)
    assert again.branch == distributions(space, again.params)


@each
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_what_is_drawn_is_a_vector_of_a_point(space: Space, seed: int):
    encoding, random = Encoding(space), np.random.default_rng(seed)
    for vector in encoding.drawn(20, random):
        numbers = vector[~encoding.is_choice]
        assert ((numbers == NOT_THERE) | (numbers >= 0) & (numbers <= 1)).all()
        point = encoding.decode(vector, random)
        assert distributions(space, point.params) == point.branch
        again = encoding.encode(point.params)
        assert again is not None
        assert np.array_equal(again == NOT_THERE, vector == NOT_THERE)


def layers(trial: optuna.Trial) -> None:
    """Numbers that decide which others there are, and how far one of them goes."""
    for layer in range(trial.suggest_int("layers", 1, 3)):
        trial.suggest_int(f"units{layer}", 8, 128, log=True)
    most = trial.suggest_float("most", 0.2, 1.0)
    trial.suggest_float("drop", 0.0, most)


@pytest.mark.parametrize("space", [conditional, by_number, layers], ids=["conditional", "by number", "layers"])
def test_every_key_is_drawn_as_optuna_would_draw_it(space: Space):
    encoding, random = Encoding(space), np.random.default_rng(0)
    ours = [encoding.decode(vector, random).params for vector in encoding.drawn(400, random)]
    theirs = [random_point(space, seed) for seed in range(400)]
    for key in {key for point in theirs for key in point}:
        found, expected = ([point[key] for point in points if key in point] for points in (ours, theirs))
        assert abs(len(found) - len(expected)) < 60, key
        if isinstance(expected[0], str):
            assert set(found) == set(expected)
        elif len(expected) > 40:
            _, chance = stats.ks_2samp(np.array(found, float), np.array(expected, float))
            assert float(chance) > 1e-3, key  # pyright: ignore[reportArgumentType]


def test_that_numbers_decide_is_found_out_because_each_point_is_walked_then():
    found = [Encoding(space).numbers_decide for space in (FLAT, conditional, by_number, layers)]
    assert found == [False, False, True, True]


@pytest.mark.parametrize("count", range(5))
def test_a_number_with_steps_is_the_one_that_a_person_writes(count: int):
    tenths = FloatDistribution(0.1, 0.5, step=0.1)
    written = (0.1, 0.2, 0.3, 0.4, 0.5)[count]
    assert value_at(place_of(written, tenths), tenths) == written


def test_a_point_outside_of_the_space_is_no_vector():
    encoding = Encoding(conditional)
    assert encoding.encode({"optimizer": "adam", "decay": 1e-2}) is not None
    assert encoding.encode({"optimizer": "adam", "decay": 1e-4}) is None  # that of sgd
    assert encoding.encode({"optimizer": "adam"}) is None


def test_what_does_not_apply_is_marked_and_in_the_middle_for_a_kernel():
    encoding = Encoding(conditional)
    vector = encoding.encode({"optimizer": "lion", "decay": 1e-2})
    assert vector is not None
    momentum, nesterov = encoding.index["momentum"], encoding.index["nesterov"]
    assert vector[momentum] == vector[nesterov] == NOT_THERE
    point = encoding.points(vector[None])[0]
    assert (point[momentum], point[nesterov]) == (MIDDLE, NOT_THERE)


def test_a_number_has_its_place_in_the_range_of_its_own_branch():
    encoding = Encoding(conditional)
    for optimizer, low, high in (("sgd", 1e-5, 1e-2), ("adam", 1e-3, 1e-1)):
        more = {"nesterov": False} if optimizer == "sgd" else {}
        places = [encoding.encode({"optimizer": optimizer, "decay": value} | more) for value in (low, high)]
        assert [place is not None and place[encoding.index["decay"]] for place in places] == [0.0, 1.0]


def test_a_number_is_drawn_within_the_range_of_its_own_branch():
    encoding = Encoding(conditional)
    points = [
        encoding.decode(vector, np.random.default_rng(0)) for vector in encoding.drawn(300, np.random.default_rng(1))
    ]
    ends = {name: (1e-5, 1e-2) if name == "sgd" else (1e-3, 1e-1) for name in ("adam", "sgd", "lion")}
    for point, _ in points:
        low, high = ends[str(point["optimizer"])]
        assert low <= float(str(point["decay"])) <= high
    assert {point["optimizer"] for point, _ in points} == set(ends)


def test_a_part_of_a_point_is_a_vector_with_gaps():
    encoding = Encoding(FLAT)
    vector = encoding.encode_keys({"depth": 3, "loss": None, "lr": 5.0, "size": 300})  # two of them are illegal
    assert vector[encoding.index["depth"]] == pytest.approx(0.5)
    assert vector[encoding.index["loss"]] == 2
    assert np.isnan(np.delete(vector, [encoding.index["depth"], encoding.index["loss"]])).all()


def test_a_number_of_several_branches_alone_has_its_place_in_the_first_that_can_have_it():
    encoding = Encoding(conditional)
    decay = encoding.index["decay"]
    assert encoding.encode_keys({"decay": 1e-2})[decay] == pytest.approx(0.5)  # of adam; for sgd it is the end
    assert encoding.encode_keys({"decay": 1e-5})[decay] == 0.0
    whole = encoding.encode_keys({"optimizer": "sgd", "decay": 1e-2, "nesterov": False})
    assert whole[decay] == 1.0
    assert np.isnan(whole[encoding.index["momentum"]])


def test_every_whole_number_is_drawn_equally_often():
    encoding = Encoding({"depth": IntDistribution(1, 4)})
    drawn = encoding.drawn(4000, np.random.default_rng(0))
    counts = np.bincount(
        [int(str(encoding.decode(vector, np.random.default_rng(0)).params["depth"])) for vector in drawn]
    )
    assert counts[1:].min() > 900


@pytest.mark.parametrize(
    ("choices", "ordered"),
    [
        ([192, 256, 384], True),
        ([0.6, 0.3, 0.0], True),
        ([1, 2], False),
        ([1, 3, 2], False),
        (["a", "b", "c"], False),
        ([None, 1.0, 5.0], False),
        ([True, False], False),
    ],
)
def test_three_or_more_numbers_in_order_are_an_ordered_choice(choices: list[object], ordered: bool):
    assert is_ordered(CategoricalDistribution(choices)) is ordered  # type: ignore[arg-type]


def test_a_kernel_sees_ordered_choices_as_places_from_0_to_1():
    encoding = Encoding(FLAT)
    vectors = encoding.drawn(50, np.random.default_rng(0))
    size, loss = encoding.index["size"], encoding.index["loss"]
    assert set(encoding.points(vectors)[:, size]) == {0.0, 0.5, 1.0}
    assert set(encoding.points(vectors)[:, loss]) == {0.0, 1.0, 2.0}
