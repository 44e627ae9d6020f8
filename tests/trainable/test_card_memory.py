"""Whether the networks of a space fit on the card of a trial."""

from dataclasses import replace

import pytest

from src.cards import Card
from src.config.compose import load_config
from src.errors import UserError
from src.training.memory import needed, predict_peak
from trainable.card_memory import fit_networks, refuse_misfits
from trainable.resources import Resources, share_machine


def card_with(share_mib: int) -> Resources:
    """A card whose one trial may have so many MiB."""
    card = Card("RTX", memory_mib=8000, free_mib=8000)
    return share_machine(1, [replace(card, free_mib=share_mib + 8000 - card.share(1))], 4)


@pytest.fixture
def network(tiny: list[str]) -> list[str]:
    return [*tiny, "data.batch_size=8", "data.image_size=[128,128]"]


def test_a_network_fits_is_halved_or_does_not_fit_by_what_a_trial_has(network: list[str]):
    config = load_config(network)
    by_size = {size: needed(predict_peak(config, size)) for size in (8, 4, 1)}
    assert by_size[8] > by_size[4] > by_size[1]
    words = [*network, "training.optimizer.lr=0.001", "training.loss=bce"]
    for share, micro_batch in ((by_size[8] + 5, 8), (by_size[4] + 5, 4), (by_size[1] - 50, None)):
        resources = card_with(share)
        assert resources.share_mib == share
        (fit,) = fit_networks([words], resources, network)
        assert (fit.name, fit.micro_batch) == ("training.loss=bce", micro_batch)
        assert str(fit).endswith("halved to 4 at once") == (micro_batch == 4)
        assert fit.halved == (micro_batch == 4)
        if micro_batch is not None:
            refuse_misfits([fit], share)
            continue
        with pytest.raises(UserError, match=rf"training\.loss=bce needs .*\d+ MiB .* has {share}"):
            refuse_misfits([fit], share)


def test_networks_that_differ_in_rates_alone_are_named_once(network: list[str]):
    rates = [f"training.optimizer.{key}" for key in ("lr=5e-05", "lr=0.01", "lr_scale=1e-05", "weight_decay=.5")]
    words = [[*network, rate, "training.clip_grad_norm=null", "data.batch_size=6"] for rate in rates]
    assert [fit.name for fit in fit_networks(words, card_with(4000), network)] == ["data.batch_size=6"]


def test_without_a_card_nothing_is_predicted(network: list[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("trainable.card_memory.predict_peak", None)
    assert fit_networks([network], Resources(2, 1), network) == []
