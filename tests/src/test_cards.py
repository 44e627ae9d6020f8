"""Graphics cards as torch and the driver tell of them; none is needed here."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from src import cards
from src.cards import Card, count_cards, find_cards, look, refuse_old_card
from src.errors import UserError
from src.models.device import choose_device

Driver = Callable[[str], list[list[str]]]


def pretend(monkeypatch: pytest.MonkeyPatch, shown: int, usable: bool, rows: dict[str, list[list[str]]]) -> None:
    """A driver that shows some cards, and a torch that can use them or not."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: usable)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: shown)
    monkeypatch.setattr(cards, "_ask_driver", lambda fields: rows.get(fields, []))
    monkeypatch.setattr(cards, "DEVICES", Path("/nowhere"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    cards.driver_version.cache_clear()


RTX = {
    "name,driver_version,compute_cap": [["NVIDIA GeForce RTX 3070 Ti", "535.183.01", "8.6"]],
    "driver_version": [["535.183.01"]],
}


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_a_card_that_torch_cannot_use_is_one_sentence_with_driver_and_capability(
    device: str, monkeypatch: pytest.MonkeyPatch
):
    pretend(monkeypatch, shown=1, usable=False, rows=RTX)
    monkeypatch.setattr(torch.version, "cuda", "13.2")
    for ask in (count_cards, find_cards, lambda: choose_device(device)):
        with pytest.raises(UserError, match=r"3070 Ti, driver 535\.183\.01, compute capability 8\.6.*580.*device=cpu"):
            ask()
    assert choose_device("cpu") == torch.device("cpu")


def test_a_card_in_a_machine_without_the_drivers_library_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    pretend(monkeypatch, shown=0, usable=False, rows={})
    assert count_cards() == 0
    (tmp_path / "nvidia1").touch()
    monkeypatch.setattr(cards, "DEVICES", tmp_path)
    for visible in (None, "0", "1"):  # Ray and batch systems name the cards of a process
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        with pytest.raises(UserError, match="nvidia-smi"):
            count_cards()
    for hidden in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert count_cards() == 0


def test_a_driver_that_is_new_enough_is_not_blamed(monkeypatch: pytest.MonkeyPatch):
    pretend(monkeypatch, shown=1, usable=False, rows=RTX | {"driver_version": [["590.10"]]})
    monkeypatch.setattr(torch.version, "cuda", "13.2")

    def init() -> None:
        raise RuntimeError("CUDA unknown error\nMore words")

    monkeypatch.setattr(torch.cuda, "init", init)
    with pytest.raises(UserError, match=r"CUDA unknown error"):
        count_cards()


def test_a_card_that_fails_while_it_is_looked_at_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fail(index: int) -> Card:
        raise RuntimeError("CUDA error: out of memory\nCompile with TORCH_USE_CUDA_DSA to enable assertions")

    pretend(monkeypatch, shown=1, usable=True, rows={})
    monkeypatch.setattr(cards, "look", fail)
    with pytest.raises(UserError, match=r"^The graphics card cannot be used: CUDA error: out of memory$"):
        cards.main([])

    def hang(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("python", 120)

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(UserError, match="within 120 seconds"):
        find_cards()


def test_an_older_driver_whose_capability_is_not_told_is_named_all_the_same(monkeypatch: pytest.MonkeyPatch):
    pretend(monkeypatch, shown=1, usable=False, rows={"name,driver_version": [["GTX 1080", "470.1"]]})
    with pytest.raises(UserError, match=r"GTX 1080, driver 470\.1, compute capability unknown"):
        count_cards()


@pytest.mark.parametrize(
    ("capability", "kernels", "runs"),
    [
        ((8, 6), ["sm_75", "sm_80", "sm_90"], True),  # machine code of its generation
        ((6, 1), ["sm_75", "sm_80"], False),
        ((12, 0), ["sm_75", "sm_90"], False),
        ((12, 0), ["sm_75", "compute_90"], True),  # compiled on the card
        ((9, 0), ["sm_90a"], True),
        ((9, 1), ["sm_90a"], False),
        ((7, 5), [], True),  # a torch that does not say
    ],
)
def test_a_card_without_kernels_is_refused(
    capability: tuple[int, int], kernels: list[str], runs: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: kernels)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index=0: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index=0: "GTX 1080")
    if runs:
        return refuse_old_card()
    with pytest.raises(UserError, match=rf"GTX 1080 has compute capability {capability[0]}\.{capability[1]}"):
        refuse_old_card()
    return None


def test_what_a_process_of_its_own_finds_is_what_is_planned_with(monkeypatch: pytest.MonkeyPatch):
    pretend(monkeypatch, shown=1, usable=True, rows={})
    found = [{"name": "RTX", "memory_mib": 8000, "free_mib": 7000, "context_mib": 400}]
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=0, stdout=json.dumps(found)))
    assert find_cards() == [Card("RTX", 8000, 7000, 400)]
    failed = SimpleNamespace(returncode=2, stdout="", stderr="Traceback\nerror: GTX 1080 has compute capability 6.1")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(UserError, match=r"^GTX 1080 has"):
        find_cards()


def test_a_look_at_a_card_tells_what_is_free_and_what_a_context_takes(monkeypatch: pytest.MonkeyPatch):
    about: Any = SimpleNamespace(name="RTX", uuid="1-2-3", total_memory=8000 * 2**20)
    rand = torch.rand
    for name, answer in {
        "get_arch_list": list[str],
        "get_device_capability": lambda index: (8, 6),
        "get_device_properties": lambda index: about,
        "set_device": lambda index: None,
        "synchronize": lambda: None,
        "memory_reserved": lambda index: 20 * 2**20,
        "mem_get_info": lambda index: (7000 * 2**20, 8000 * 2**20),
    }.items():
        monkeypatch.setattr(torch.cuda, name, answer)
    monkeypatch.setattr(torch, "rand", lambda *shape, device: rand(*shape))
    monkeypatch.setattr(cards, "_ask_driver", lambda fields: [["GPU-1-2-3", "7400"]])
    assert look(0) == Card("RTX", 8000, 7020, context_mib=7400 - 7000 - 20)
    monkeypatch.setattr(cards, "_ask_driver", lambda fields: [["GPU-another", "7400"]])
    assert look(0).context_mib == cards.CONTEXT_MIB


def test_shares_leave_room_for_contexts_and_other_programs():
    card = Card("RTX", memory_mib=8000, free_mib=7000, context_mib=400)
    assert card.share(1) == 7000 - 256
    assert 2 * card.share(2) + 400 + 256 <= 7000
    assert 4 * card.share(4) + 3 * 400 + 256 <= 7000
    assert card.share(20) == 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a graphics card here")
def test_the_command_says_that_there_is_no_card():
    done = subprocess.run([sys.executable, "-m", "src.cards"], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout) == (0, "No graphics card: everything runs on the CPU.\n")


def test_where_there_is_no_driver_torch_is_not_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(cards, "DEVICES", tmp_path)
    monkeypatch.setattr("src.cards._count_by_torch", lambda: 3)
    assert count_cards() == 3  # it is imported already, and knows better
    monkeypatch.delitem(sys.modules, "torch")
    assert count_cards() == 0
    with pytest.raises(UserError, match="device=cuda"):
        count_cards("cuda")
    (tmp_path / "dxg").touch()
    assert count_cards() == 3
