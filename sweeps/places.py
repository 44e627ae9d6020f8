"""The places of a sweep: shares of the machine in each of which one trial runs at a time."""

from ray import tune

from trainable.resources import Resources


class Place(tune.PlacementGroupFactory):
    """A request for resources that differs from those of other places.

    Ray Tune gives a free process to any trial that asks for the same resources, even if another process is starting for
    that trial, which is then given up. With short rungs a single process would do all the work. So each place has a
    process of its own, and only trials of this place use it.
    """

    def __init__(self, bundle: dict[str, float], number: int) -> None:
        super().__init__([bundle])
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and self.number == other.number

    def __hash__(self) -> int:
        return hash(self.number)


def places(resources: Resources) -> list[Place]:
    """A place for each trial that runs at once."""
    bundle = {"CPU": 1.0, "GPU": resources.gpus_per_trial}
    return [Place(bundle, number) for number in range(resources.trials_at_once)]
