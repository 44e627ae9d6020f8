"""The places of a sweep."""

import pickle
from itertools import count

from sweeps.places import places_here, places_on
from trainable.resources import Node, Resources


def test_each_place_asks_for_resources_of_its_own_so_that_ray_gives_no_process_to_another_place():
    first, second = places_here(Resources(trials_at_once=2, cores_per_trial=3))
    assert first != second
    assert len({first, second, pickle.loads(pickle.dumps(first))}) == 2
    assert first.required_resources == second.required_resources == {"CPU": 1.0}
    assert "name" not in first._kwargs  # Ray refuses a second group of that name, also while the first one is removed


def test_a_place_in_a_cluster_is_bound_to_its_node_and_asks_for_its_cores():
    node, numbers = Node("a1", "10.0.0.7", "node7", cores=8), count(5)
    first, second = places_on(node, Resources(trials_at_once=6, cores_per_trial=3), most=9, used=0, numbers=numbers)
    assert first.required_resources == {"CPU": 3.0, "node:10.0.0.7": 0.001}
    assert (first.number, second.number, first.beside, first.node) == (5, 6, 2, node)


def test_a_node_gets_no_more_places_than_are_missing():
    node, resources = Node("a1", "10.0.0.7", "node7", cores=8), Resources(trials_at_once=6, cores_per_trial=1)
    assert len(places_on(node, resources, most=3, used=0, numbers=count())) == 3
    assert len(places_on(node, resources, most=9, used=6, numbers=count())) == 2
    assert not places_on(node, resources, most=0, used=0, numbers=count())
