"""How busy the places of a sweep were, and what their other seconds went to; from the events of its ledger."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sweeps.search.events import (
    Failed,
    Lost,
    PlacesChanged,
    Record,
    Reported,
    Requeued,
    Resumed,
    SessionBegan,
    Skipped,
    Started,
)
from sweeps.search.scheduler import Decision

START = "start and checks"
TRIALS = "beginning trials"
EPOCHS = "between epochs"
CUT = "epochs that were cut off"
EMPTY = "no trial to run"
CATEGORIES: tuple[str, ...] = (START, TRIALS, EPOCHS, CUT, EMPTY)


@dataclass(frozen=True)
class Busy:
    """The seconds of all places of a sweep, from the commands to the ends of its sessions."""

    whole: float = 0.0
    """Wall-clock seconds times places."""
    training: float = 0.0
    """Seconds in epochs, with their validation."""
    rest: dict[str, float] = field(default_factory=dict[str, float])
    """Where the others went, by category."""

    @property
    def share(self) -> float:
        """The part of the seconds that was spent in epochs; 0 without any."""
        return self.training / self.whole if self.whole else 0.0

    def __str__(self) -> str:
        """``places busy 81 % of the time; start and checks 8 %, no trial to run 6 %, ...``, the largest first."""
        shares = {name: seconds / self.whole for name, seconds in self.rest.items()} if self.whole else {}
        falling = sorted(shares.items(), key=lambda item: -item[1])
        named = [f"{name} {100 * share:.0f} %" for name, share in falling if share >= 0.005]
        return f"places busy {100 * self.share:.0f} % of the time{'; ' if named else ''}{', '.join(named)}"


def busy(records: Iterable[Record]) -> Busy:
    """Add up all sessions. Those of older versions, which do not tell their number of places, are left out."""
    whole = training = 0.0
    rest = dict.fromkeys(CATEGORIES, 0.0)
    for session in sessions(records):
        begun = session[0].event
        assert isinstance(begun, SessionBegan)
        if begun.places:
            seconds, trained, others = _add_up(begun, session)
            whole, training = whole + seconds, training + trained
            rest = {name: seconds + others[name] for name, seconds in rest.items()}
    return Busy(whole, training, rest)


def sessions(records: Iterable[Record]) -> Iterator[list[Record]]:
    """The records of each session; the first one is its beginning."""
    session: list[Record] = []
    for record in records:
        if isinstance(record.event, SessionBegan):
            if session:
                yield session
            session = [record]
        elif session:
            session.append(record)
    if session:
        yield session


def _add_up(begun: SessionBegan, session: Sequence[Record]) -> tuple[float, float, dict[str, float]]:
    """Seconds of all places of one session, seconds in epochs, and the others by category."""
    begin, end = seconds_of(session[0]) - begun.checked_seconds, seconds_of(session[-1])
    whole, training, rest = whole_seconds(begun.places, begin, session), 0.0, dict.fromkeys(CATEGORIES, 0.0)
    since: dict[str, float] = {}
    """When each running trial began, or reported last."""
    fresh = set[str]()
    for record in session:
        event, now = record.event, seconds_of(record)
        match event:
            case Started() | Resumed():
                if not rest[START]:
                    rest[START] = begun.places * (now - begin)
                since[event.trial] = now
                fresh.add(event.trial)
            case Reported() if event.trial in since:
                passed = now - since[event.trial]
                epoch = min(passed, event.metrics.get("epoch_seconds", 0.0))
                training += epoch
                rest[TRIALS if event.trial in fresh else EPOCHS] += passed - epoch
                since[event.trial] = now
                fresh.discard(event.trial)
                if record.decision is not Decision.CONTINUE:
                    del since[event.trial]
            case Skipped() if event.trial in since:
                rest[TRIALS] += now - since.pop(event.trial)
            case Failed() | Requeued() | Lost() if event.trial in since:
                rest[CUT] += now - since.pop(event.trial)
            case _:
                pass
    rest[CUT] += sum(end - last for last in since.values())
    rest[EMPTY] = max(0.0, whole - training - sum(rest.values()))
    return whole, training, rest


def whole_seconds(places: int, begin: float, session: Sequence[Record]) -> float:
    """Seconds times places of one session; nodes of a cluster may join and leave."""
    whole = 0.0
    for record in session:
        if isinstance(record.event, PlacesChanged):
            now = seconds_of(record)
            whole, begin, places = whole + places * (now - begin), now, record.event.places
    return whole + places * (seconds_of(session[-1]) - begin)


def seconds_of(record: Record) -> float:
    return datetime.fromisoformat(record.time).timestamp()
