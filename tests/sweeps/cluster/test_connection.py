"""Which Ray clusters may be joined. The head of a cluster is played by a server that answers as Ray's does."""

import os
import socket
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, cast

import grpc
import pytest
from ray.core.generated import gcs_service_pb2, gcs_service_pb2_grpc

from src.errors import UserError
from sweeps.cluster.connection import MODE, find_address, join, require_cluster


class Head(gcs_service_pb2_grpc.NodeInfoGcsServiceServicer):
    def __init__(self, token: str | None) -> None:
        self.token = token

    def CheckAlive(self, request: Any, context: Any) -> Any:
        sent = dict(context.invocation_metadata()).get("authorization")
        if self.token is not None and sent != f"Bearer {self.token}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "InvalidAuthToken")
        return cast(Any, gcs_service_pb2).CheckAliveReply(ray_version="2.60.0")


@contextmanager
def head(token: str | None) -> Generator[str]:
    server = grpc.server(ThreadPoolExecutor(1))
    cast(Any, gcs_service_pb2_grpc).add_NodeInfoGcsServiceServicer_to_server(Head(token), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MODE, "")
    monkeypatch.delenv(MODE)


def with_token(monkeypatch: pytest.MonkeyPatch, token: str | None) -> None:
    monkeypatch.setattr("sweeps.cluster.connection.own_token", lambda: token)


def test_a_cluster_that_demands_our_token_is_joined_with_it(monkeypatch: pytest.MonkeyPatch):
    with_token(monkeypatch, "ours")
    with head("ours") as address:
        assert require_cluster(address) == address
    assert os.environ[MODE] == "token"


@pytest.mark.parametrize(("own", "words"), [(None, "none here"), ("another", "another")])
def test_a_cluster_with_a_token_that_is_not_ours_is_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, own: str | None, words: str
):
    with_token(monkeypatch, own)
    with head("theirs") as address, pytest.raises(UserError, match=words) as caught:
        require_cluster(address)
    assert address in str(caught.value)
    assert "~/.ray/auth_token" in str(caught.value)


def test_a_cluster_that_demands_no_token_is_joined_only_if_the_user_says_so(monkeypatch: pytest.MonkeyPatch):
    with_token(monkeypatch, "ours")
    with head(None) as address:
        with pytest.raises(UserError, match=f"{address}.*no token.*{MODE}=disabled"):
            require_cluster(address)
        monkeypatch.setenv(MODE, "disabled")
        assert require_cluster(address) == address


def test_an_address_without_a_ray_is_named():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(UserError, match=rf"{address}.*no Ray.*ray start --head"):
        require_cluster(address)


@pytest.mark.parametrize("address", ["", "node7", "ray://node7:10001", "node7:port", "http://node7:80"])
def test_what_is_no_address_is_named_with_what_is(address: str):
    with pytest.raises(UserError, match=r"must be auto, or HOST:PORT"):
        find_address(address)


@pytest.mark.parametrize("address", ["node7:6379", "10.0.0.7:6379", "[fe80::1]:6379"])
def test_an_address_is_taken_as_it_is(address: str):
    assert find_address(address) == address


def test_auto_without_a_ray_says_how_to_start_one(monkeypatch: pytest.MonkeyPatch):
    def none(address: str) -> str:
        raise ConnectionError("Could not find any running Ray instance")

    monkeypatch.setattr("ray._private.services.canonicalize_bootstrap_address_or_die", none)
    with pytest.raises(UserError, match=r"--address=auto.*RAY_AUTH_MODE=token ray start --head"):
        require_cluster("auto")
    monkeypatch.setattr(
        "ray._private.services.canonicalize_bootstrap_address_or_die", lambda address: "10.0.0.7:6379"
    )  # pyright: ignore[reportUnknownLambdaType]
    assert find_address("auto") == "10.0.0.7:6379"


def test_ray_of_another_version_is_a_sentence(monkeypatch: pytest.MonkeyPatch):
    def refuse(**_: object) -> None:
        raise RuntimeError("Version mismatch: The cluster was started with:\n    Ray: 2.59.0\nThis process has 2.60.0")

    monkeypatch.setattr(
        "sweeps.cluster.connection.require_cluster", lambda address: address
    )  # pyright: ignore[reportUnknownLambdaType]
    monkeypatch.setattr("ray.init", refuse)
    with pytest.raises(UserError, match=r"--address=node7:6379: Version mismatch.*2.59.0 This process"):
        join("node7:6379")
