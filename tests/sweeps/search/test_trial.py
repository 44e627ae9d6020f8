"""One trial of a search, and the order of trials."""

from hypothesis import given
from hypothesis import strategies as st

from sweeps.search.trial import Trial, ranked


def row(name: str, *scores: float, state: str = "stopped", **params: object) -> Trial:
    made = Trial(name, dict(params))
    for epoch, score in enumerate(scores, start=1):
        made.report(epoch, score, {"epoch_seconds": 2.0, "val/iou_best": score, "val/iou": score / 2})
    made.state = state
    return made


def test_a_trial_counts_by_its_best_epoch():
    trial = row("t0000", 0.2, 0.5, 0.4)
    assert (trial.score, trial.best_epoch, trial.epochs, trial.seconds) == (0.5, 2, 3, 6.0)
    assert trial.metrics["val/iou"] == 0.25


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=12))
def test_the_ranking_is_best_first_and_unscored_last(scores: list[float | None]):
    rows = [Trial(f"t{number:04d}", {}, score=score) for number, score in enumerate(scores)]
    found = [trial.score for trial in ranked(rows)]
    known = [score for score in found if score is not None]
    assert known == sorted(known, reverse=True)
    assert found == known + [None] * (len(found) - len(known))


def test_a_failed_trial_is_never_the_best():
    assert [trial.name for trial in ranked([row("t0000", 0.9, state="failed"), row("t0001", 0.1)])] == [
        "t0001",
        "t0000",
    ]
