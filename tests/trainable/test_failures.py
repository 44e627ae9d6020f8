"""Why a trial failed, and that it arrives through Ray's text."""

import errno
import os
import traceback

import filelock
import pytest

from src.errors import UserError
from src.training.trainer import Diverged
from trainable.attempts import Superseded
from trainable.failures import FailureKind, NotAsSampled, kind_of, read_failure, trial_failed, without_module
from trainable.guard import CardLost, CardWasFull, OutOfCardMemory, OutOfHostMemory

CUDA_ADVICE = "CUDA kernel errors might be reported later\nCompile with `TORCH_USE_CUDA_DSA` to enable"

KINDS = [
    (Diverged("epoch 1: train/loss=nan"), FailureKind.CONFIGURATION),
    (OutOfCardMemory("CUDA out of memory"), FailureKind.CONFIGURATION),
    (UserError("Unknown encoder"), FailureKind.CONFIGURATION),
    (NotAsSampled("lr=0.1 was sampled, but the configuration has lr=0.2"), FailureKind.CONFIGURATION),
    (AssertionError("of a library"), FailureKind.MACHINE),
    (filelock.Timeout("/sweep/t0000/.lock"), FailureKind.LOST),
    (Superseded("attempt 2 has taken over"), FailureKind.LOST),
    (CardWasFull("2 trials share the card"), FailureKind.MACHINE),
    (OutOfHostMemory("3 MiB are left"), FailureKind.MACHINE),
    (RuntimeError("CUDA out of memory"), FailureKind.MACHINE),  # nothing says whose the memory was
    (RuntimeError(f"CUDA error: an illegal memory access\n{CUDA_ADVICE}"), FailureKind.MACHINE),
    (RuntimeError(), FailureKind.MACHINE),
    (CardLost("There is no card"), FailureKind.CARD_LOST),
    (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), FailureKind.DISK_FULL),
    (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), FailureKind.DISK_FULL),
    (OSError(errno.EACCES, os.strerror(errno.EACCES)), FailureKind.MACHINE),
    (RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed"), FailureKind.DISK_FULL),
    (OSError("Caught OSError in a loader.\nOSError: [Errno 28] No space left on device"), FailureKind.DISK_FULL),
]


@pytest.mark.parametrize(("error", "kind"), KINDS, ids=lambda one: repr(one)[:40])
def test_a_failure_has_a_kind_and_arrives_with_it_through_rays_text(error: Exception, kind: FailureKind):
    assert kind_of(error) is kind
    try:
        raise trial_failed(error) from error
    except Exception:
        text = f"Failure # 1 (occurred at 2026-01-01)\nray::CrackTrial.train()\n{traceback.format_exc()}\n\n"
    failure = read_failure(text)
    assert failure.kind is kind
    assert "\n" not in failure.message
    assert failure.message.startswith(type(error).__name__)
    assert str(error).partition("\n")[0] in failure.message


def test_a_full_disk_is_known_behind_another_error():
    error = ValueError("the checkpoint is not written")
    error.__cause__ = OSError(errno.ENOSPC, "full")
    assert kind_of(error) is FailureKind.DISK_FULL


def test_an_error_with_a_type_of_its_own_is_not_judged_by_what_led_to_it():
    """As where shared memory is too small: torch says that no space is left, and the loader says what to do."""
    error = UserError("data.num_workers=4: too little shared memory")
    error.__context__ = RuntimeError("unable to write to file </torch_1>: No space left on device (28)")
    assert kind_of(error) is FailureKind.CONFIGURATION


def test_an_error_of_a_loaders_process_keeps_its_type_and_message():
    for kind, name in ((FailureKind.CONFIGURATION, "UserError"), (FailureKind.MACHINE, "ValueError")):
        caught = f"Caught {name} in DataLoader worker process 0.\nOriginal Traceback:"
        text = f"{caught}\n  ...\nsrc.errors.{name}: 7.png is torn"
        failure = read_failure(f"trainable.failures.TrialFailed: {trial_failed(RuntimeError(text))}")
        assert failure == (kind, f"{name}: 7.png is torn")


def test_only_the_module_of_the_exception_is_left_out_of_a_message():
    assert without_module("src.errors.UserError: a.errors.b: no file") == "UserError: a.errors.b: no file"
    assert without_module("of another kind") == "of another kind"


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("", FailureKind.MACHINE, "the process died"),
        (
            "Failure # 1\nray.exceptions.ActorDiedError: The actor died unexpectedly before finishing this task.\n"
            "\tclass_name: CrackTrial\n\tpid: 7\n",
            FailureKind.MACHINE,
            "ActorDiedError: The actor died unexpectedly before finishing this task.",
        ),
        ("OutOfDiskError: No space left on device", FailureKind.DISK_FULL, "OutOfDiskError: No space left on device"),
        ("some words\nof another kind\n", FailureKind.MACHINE, "of another kind"),
    ],
)
def test_a_failure_that_no_trial_has_named_is_told_from_rays_text(text: str, kind: FailureKind, message: str):
    assert read_failure(text) == (kind, message)
