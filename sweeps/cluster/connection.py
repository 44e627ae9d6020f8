"""Connects to the Ray cluster of ``--address``, after asking whether it demands a token, and whether that is ours."""

import logging
import os
import re
from typing import Any, cast

from src.errors import UserError
from sweeps.local_ray import ONE_SWEEP, ROOT

ADDRESS = re.compile(r"[\w.-]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}")
ANSWER_SECONDS = 10.0
PASSED_ON = ("HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_ENDPOINT", "TORCH_HOME")
"""Variables that the trials get from here; Ray's nodes have an environment of their own."""
MODE = "RAY_AUTH_MODE"
HOW_TO_START = (
    "RAY_AUTH_MODE=token ray start --head --node-ip-address=ADDRESS, and on each other node RAY_AUTH_MODE=token ray "
    "start --address=ADDRESS:6379"
)


def join(address: str) -> None:
    """Connect to a Ray that runs. Its processes for this sweep find the project where it is here."""
    import ray
    import ray._private.worker

    found = require_cluster(address)
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    variables = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    variables |= {"PYTHONPATH": path, "RAY_CHDIR_TO_TRIAL_DIR": "0"}
    ray._private.worker.print_to_stdstream = print_nothing  # it would break into the live view
    try:
        ray.init(address=found, log_to_driver=False, logging_level=logging.ERROR, runtime_env={"env_vars": variables})
    except (RuntimeError, ConnectionError) as error:  # another version of Ray or Python, or no raylet on this machine
        raise UserError(f"--address={address}: {' '.join(str(error).split())}") from error
    if any(ONE_SWEEP in node["Resources"] for node in ray.nodes()):
        ray.shutdown()
        raise UserError(f"--address={address}: the Ray at {found} belongs to another sweep, and ends with it.")


def print_nothing(*_: object, **__: object) -> None:
    pass


def require_cluster(address: str) -> str:
    """The address as HOST:PORT of a Ray that runs, demands a token, and knows ours.

    Anything else is a ``UserError``. ``RAY_AUTH_MODE=disabled`` in the environment allows a cluster without a token.
    The environment is changed so that Ray uses the token.
    """
    found = find_address(address)
    if answers(found, token=None):
        if os.environ.get(MODE) != "disabled":
            raise UserError(
                f"--address={address}: the Ray at {found} demands no token, so everyone who can reach it can run "
                f"programs there. Stop it with ray stop, and start it with {HOW_TO_START}. To join it all the same, "
                f"put {MODE}=disabled before the command."
            )
        return found
    own = own_token()
    if own is None or not answers(found, own):
        lacks = "there is none here" if own is None else "the one here is another"
        raise UserError(
            f"--address={address}: the Ray at {found} demands a token, and {lacks}. Copy ~/.ray/auth_token from the "
            "machine where Ray was started, with mode 600, or give its path in RAY_AUTH_TOKEN_PATH."
        )
    os.environ[MODE] = "token"
    return found


def find_address(address: str) -> str:
    """HOST:PORT of an address as the user has written it; ``auto`` is the Ray that ``ray start`` has started here."""
    if address != "auto":
        if not ADDRESS.fullmatch(address):
            raise UserError(f"--address={address}: must be auto, or HOST:PORT of the head of a Ray cluster.")
        return address
    from ray._private.services import canonicalize_bootstrap_address_or_die

    try:
        return canonicalize_bootstrap_address_or_die("auto")
    except ConnectionError as error:
        raise UserError(
            f"--address=auto: there is no Ray on this machine, or more than one. Start it with {HOW_TO_START}; or give "
            "its address as HOST:PORT."
        ) from error


def answers(address: str, token: str | None) -> bool:
    """Whether the Ray at an address answers without a token, or with this one. No Ray there is a ``UserError``."""
    import grpc
    from ray.core.generated import gcs_service_pb2, gcs_service_pb2_grpc

    metadata = [("authorization", f"Bearer {token}")] if token else []
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            request = cast(Any, gcs_service_pb2).CheckAliveRequest()
            stub = gcs_service_pb2_grpc.NodeInfoGcsServiceStub(channel)
            stub.CheckAlive(request, timeout=ANSWER_SECONDS, metadata=metadata)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.UNAUTHENTICATED:
                return False
            raise UserError(
                f"--address={address}: there is no Ray that answers ({error.code().name.lower()}). Is the head of the "
                f"cluster running? It is started with {HOW_TO_START}."
            ) from error
    return True


def own_token() -> str | None:
    """Ray's token of this user, from the places where Ray looks for it; None without one."""
    import ray._raylet

    loader: Any = cast(Any, ray._raylet).AuthenticationTokenLoader.instance()
    return loader.get_raw_token(ignore_auth_mode=True) if loader.has_token(ignore_auth_mode=True) else None
