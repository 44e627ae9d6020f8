"""What is told of trials may ignore it."""

from sweeps.observer import Observer
from sweeps.search.trial import Trial


def test_an_observer_needs_no_method_of_its_own():
    observer = Observer()
    observer.reported(Trial("t0000-a", {}))
    observer.left(Trial("t0000-a", {}))
    observer.said("a line")
    observer.places_changed(2, "node7 has joined")
