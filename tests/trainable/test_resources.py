"""One machine in equal parts."""

import pytest

from src.cards import Card
from src.errors import UserError
from trainable.resources import Resources, choose_cards, share_machine

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
