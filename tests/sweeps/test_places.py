"""The places of a sweep."""

import pickle

from sweeps.places import places
from trainable.resources import Resources


def test_each_place_asks_for_resources_of_its_own_so_that_ray_gives_no_process_to_another_place():
    first, second = places(Resources(trials_at_once=2, cores_per_trial=3))
    assert first != second
    assert len({first, second, pickle.loads(pickle.dumps(first))}) == 2
    assert first.required_resources == second.required_resources == {"CPU": 1.0}
    assert "name" not in first._kwargs  # Ray refuses a second group of that name, also while the first one is removed
