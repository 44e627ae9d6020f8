"""One machine in equal parts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.cards import Card
from src.errors import UserError
from trainable.resources import Before, Node, Resources, choose_cards, share_machine, share_nodes

CARD = Card("RTX", memory_mib=8000, free_mib=7000, context_mib=400)


@pytest.mark.parametrize(
    ("at_once", "cards", "cores", "expected"),
    [
        (None, 0, 2, (2, 1, 0, 0.0)),
        (None, 0, 16, (4, 4, 0, 0.0)),
        (1, 0, 2, (1, 2, 0, 0.0)),
        (8, 0, 2, (8, 1, 0, 0.0)),
        (None, 1, 16, (1, 16, 1, 1.0)),
        (2, 1, 16, (2, 8, 1, 0.5)),
        (None, 2, 16, (2, 8, 2, 1.0)),
        (4, 2, 16, (4, 4, 2, 0.5)),
        (None, 4, 16, (4, 4, 4, 1.0)),
        (4, 4, 16, (4, 4, 4, 1.0)),
        (1, 4, 16, (1, 16, 1, 1.0)),  # fewer trials than cards leave cards unused
        (3, 4, 16, (3, 5, 3, 1.0)),
        (8, 4, 16, (8, 2, 4, 0.5)),
    ],
)
def test_a_machine_is_shared_in_equal_parts(
    at_once: int | None, cards: int, cores: int, expected: tuple[int, int, int, float]
):
    parts = share_machine(at_once, [CARD] * cards, cores)
    found = (parts.trials_at_once, parts.cores_per_trial, len(parts.cards), parts.gpus_per_trial)
    assert found == expected


def test_the_cores_of_a_trial_belong_to_its_overrides():
    assert share_machine(2, cores=4).overrides() == ["threads=2"]
    assert share_machine(2, [CARD], 8).overrides() == ["threads=4"]  # its loaders' processes


def test_trials_that_cannot_share_the_cards_evenly_are_refused_with_numbers_that_can():
    with pytest.raises(UserError, match=r"trials_at_once=6: must be a multiple of the 4 graphics cards.*4 or 8"):
        share_machine(6, [CARD] * 4, 16)


def test_trials_that_share_a_card_have_a_limit_that_all_of_them_fit_into():
    for at_once in (2, 4):
        parts = share_machine(at_once, [CARD, CARD], 16)
        limit, each = parts.share_mib, parts.trials_per_card
        assert parts.memory_limit_mib == (limit if each > 1 else None)
        assert limit is not None
        assert each * limit + (each - 1) * CARD.context_mib < CARD.free_mib


def test_the_fullest_card_is_the_measure_of_all():
    full = Card("RTX", memory_mib=8000, free_mib=5000, context_mib=400)
    assert share_machine(4, [CARD, full], 16).memory_limit_mib == full.share(2)
    assert share_machine(2, [CARD, full], 16).card_free_mib == 5000


def test_so_many_trials_on_a_card_that_none_could_train_are_refused():
    with pytest.raises(UserError, match="trials_at_once=8"):
        share_machine(8, [CARD], 16)


def test_a_part_is_named_by_its_card_or_its_cores():
    assert str(share_machine(None, [CARD], 16)) == "RTX, 7.8 GiB"
    assert str(share_machine(2, [CARD], 16)) == "3.1 GiB of RTX, 7.8 GiB"
    assert str(Resources(2, 3)) == "CPU cores: 3"


def test_all_cards_are_used_or_as_many_as_asked_for():
    assert choose_cards([CARD] * 4, None, 2) == (CARD,) * 4
    assert choose_cards([CARD] * 4, 2, None) == (CARD,) * 2
    for cards in ([], [CARD]):
        with pytest.raises(UserError, match="gpus=2"):
            choose_cards(cards, 2, None)


def test_cards_that_were_asked_for_and_would_be_unused_are_refused():
    assert choose_cards([CARD] * 3, 3, 6) == (CARD,) * 3
    with pytest.raises(UserError, match=r"gpus=3.*trials_at_once=2"):
        choose_cards([CARD] * 3, 3, 2)


def node(name: str, cores: int, cards: int = 0) -> Node:
    return Node(name, f"10.0.0.{name}", name, cores, tuple([CARD] * cards))


MOST = 64


def test_each_node_of_a_cluster_is_divided_as_it_would_be_alone():
    resources = share_nodes(None, [node("1", 16), node("2", 16)], MOST)
    assert (resources.trials_at_once, resources.cores_per_trial) == (8, 4)
    assert [resources.places_on(one) for one in resources.nodes] == [4, 4]
    assert resources.described["nodes"] == ["1 (10.0.0.1)", "2 (10.0.0.2)"]


def test_with_cards_each_card_of_each_node_has_a_trial_and_nodes_without_are_not_used():
    resources = share_nodes(None, [node("1", 4), node("2", 16, cards=2), node("3", 16, cards=1)], MOST)
    assert (resources.trials_at_once, resources.cores_per_trial, resources.gpus_per_trial) == (3, 8, 1.0)
    assert [(one.host, resources.places_on(one)) for one in resources.nodes] == [("2", 2), ("3", 1)]
    shared = share_nodes(6, [node("2", 16, cards=2), node("3", 16, cards=1)], MOST)
    assert (shared.trials_per_card, shared.cores_per_trial) == (2, 4)
    assert [shared.places_on(one) for one in shared.nodes] == [4, 2]


def test_a_sweep_that_goes_on_keeps_its_cores_and_its_trials_on_each_card():
    before = Before(cores_per_trial=4, trials_per_card=0)
    resources = share_nodes(None, [node("1", 16), node("2", 3)], MOST, before=before)
    assert (resources.trials_at_once, resources.cores_per_trial) == (4, 4)
    assert [one.host for one in resources.nodes] == ["1"]  # the other has too few
    assert share_nodes(9, [node("1", 16)], MOST, before=before).trials_at_once == 4  # there are fewer nodes today
    fewer = share_nodes(8, [node("1", 16, cards=2)], MOST, gpus=4, before=Before(4, trials_per_card=1))
    assert (fewer.trials_at_once, fewer.trials_per_card) == (2, 1)
    grown = share_nodes(8, [node("1", 16, cards=5)], MOST, before=Before(4, trials_per_card=2))
    assert (grown.trials_at_once, grown.trials_per_card) == (8, 2)
    more = share_nodes(None, [node("1", 16, cards=2)], MOST, before=Before(4, trials_per_card=2))
    assert (more.trials_at_once, more.trials_per_card) == (4, 2)


@pytest.mark.parametrize(
    ("nodes", "places"),
    [([node("1", 2), node("2", 64)], [2, 4]), ([node("1", 6)], [4]), ([node("1", 10), node("2", 10)], [4, 4])],
)
def test_without_a_number_no_node_has_more_trials_than_it_would_have_alone(nodes: list[Node], places: list[int]):
    resources = share_nodes(None, nodes, MOST)
    assert [resources.places_on(one) for one in nodes] == places
    assert resources.trials_at_once == sum(places)


@pytest.mark.parametrize(
    ("asked", "nodes", "words"),
    [
        ({"trials_at_once": 9}, [node("1", 4), node("2", 4)], r"trials_at_once=9.*\(10.0.0.1\): 4.*\(10.0.0.2\): 4"),
        ({"trials_at_once": None}, [], "no node"),
        ({"trials_at_once": None, "gpus": 3}, [node("1", 4, cards=2)], "gpus=3: only 2"),
        ({"trials_at_once": 3}, [node("1", 4, cards=2)], "multiple of the 2"),
        ({"trials_at_once": None, "before": Before(8, 0)}, [node("1", 4)], "8 cores, as in the session before"),
    ],
)
def test_more_than_a_cluster_has_is_refused(asked: dict[str, Any], nodes: list[Node], words: str):
    with pytest.raises(UserError, match=words):
        share_nodes(nodes=nodes, most=MOST, **asked)


@given(cores=st.lists(st.integers(1, 40), min_size=1, max_size=6), data=st.data())
def test_the_nodes_of_a_cluster_have_room_for_all_trials_and_no_trial_spans_two(cores: list[int], data: st.DataObject):
    at_once = data.draw(st.none() | st.integers(1, min(MOST, sum(cores))))
    resources = share_nodes(at_once, [node(str(number), have) for number, have in enumerate(cores)], MOST)
    rooms = [resources.places_on(one) for one in resources.nodes]
    assert all(room * resources.cores_per_trial <= one.cores for room, one in zip(rooms, resources.nodes, strict=True))
    assert sum(rooms) >= resources.trials_at_once >= 1
    if at_once is None:
        assert resources.trials_at_once == min(MOST, sum(rooms))
    else:
        assert resources.trials_at_once == at_once
        more = [have // (resources.cores_per_trial + 1) for have in cores]
        assert sum(more) < at_once or resources.cores_per_trial == max(cores)  # with more cores each, they had no room
