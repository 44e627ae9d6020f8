"""Where files of weights are."""

import os
import socket
from typing import Any

import huggingface_hub.constants
import pytest

from src.models import hub


def test_without_a_network_the_hub_is_told_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def unreachable(address: object, timeout: float) -> None:
        asked.append(address)
        raise OSError("no route")

    monkeypatch.setenv("HF_HUB_OFFLINE", "x")  # so that what follows is undone
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(socket, "create_connection", unreachable)
    for _ in range(2):
        hub.set_offline_mode()
    assert asked == [hub.HUB]
    assert huggingface_hub.constants.HF_HUB_OFFLINE is True
    assert os.environ["HF_HUB_OFFLINE"] == "1"


def test_the_users_own_offline_setting_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    hub.set_offline_mode()
    assert os.environ["HF_HUB_OFFLINE"] == "0"
