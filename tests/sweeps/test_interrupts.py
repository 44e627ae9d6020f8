"""Signals that end a session."""

import os
import signal

import pytest

from sweeps.interrupts import HANDLED, Signals


def test_a_signal_is_a_flag_and_a_second_one_an_interrupt():
    before = signal.getsignal(signal.SIGTERM)
    with Signals() as signals:
        assert signals.received is None
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.received == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", HANDLED)
def test_a_signal_that_was_ignored_stays_so_as_under_nohup(number: signal.Signals):
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with Signals() as signals:
            signal.signal(number, signal.default_int_handler)  # as Ray's start does with SIGTERM
            signals.listen()
            os.kill(os.getpid(), number)
            assert signals.received is None
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)
