"""What is told of trials while they run. Everything is optional."""

from sweeps.search.trial import Trial


class Observer:
    """Does nothing; live view and checkpoint quota are derived from it."""

    def reported(self, trial: Trial) -> None:
        """The study has taken in an epoch of the trial."""

    def left(self, trial: Trial) -> None:
        """The trial has left its place: it has paused, ended or failed."""

    def said(self, line: str) -> None:
        """Something that the user should know."""

    def places_changed(self, places: int, why: str) -> None:
        """Nodes have joined or are gone; there are so many places now."""
