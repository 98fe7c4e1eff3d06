"""Paths and fixtures of the pure tests: firmware's own files on CPython, and again on MicroPython."""

import sys
import types

import pytest

from host_tests.unit import replay

sys.path[:0] = [str(replay.ROOT / "host_tests" / "cpython"), str(replay.FIRMWARE), str(replay.UNIT)]

from modem import borrow  # noqa: E402 - found by the path above

borrow.gc = types.SimpleNamespace(collect=lambda: None)  # CPython would look through all that the tests hold, each time


@pytest.fixture(scope="session")
def micropython():
    """A long-lived MicroPython process that replays driver cases."""
    process = replay.Replay()
    yield process
    process.close()


@pytest.fixture(scope="session")
def small_micropython(micropython32):
    """The same with the ESP32's object sizes: what the heap keeps is measured here."""
    process = replay.Replay(str(micropython32))
    yield process
    process.close()


@pytest.fixture
def take_bundle(micropython):
    """What a terminal makes of a bundle: gives drivers/bundle.py's answer to a case, the same on both interpreters."""
    from drivers import bundle

    def both(case):
        answer = bundle.run(case)
        assert micropython.call("bundle", case) == answer
        return answer

    return both
