"""What every test may ask for (binaries, servers, the staged tree), and the last lines: what was left out.
"""

import os
from collections import Counter

import pytest

from hanma import stage as staging
from hanma import toolchain

_left_out = Counter()  # reason: tests


def _or_leave_out(find):
    """Return what find() finds; leave the test out, with the reason, when it cannot be had here."""
    try:
        return find()
    except toolchain.Missing as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def micropython64():
    """The MicroPython to test with, a path: $MICROPYTHON or the pinned wheel's."""
    return toolchain.micropython()


@pytest.fixture(scope="session")
def micropython32():
    """A MicroPython with the ESP32's object sizes, a path. Without one the test is left out."""
    return _or_leave_out(toolchain.micropython32)


@pytest.fixture(params=["micropython64", "micropython32"])
def each_micropython(request):
    """Each of the two MicroPythons in turn, a path."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def mosquitto_path():
    """The mosquitto broker, a path. Without one the test is left out."""
    return _or_leave_out(toolchain.mosquitto)


@pytest.fixture(scope="session")
def postgresql_programs():
    """The directory of PostgreSQL's programs. Without them the test is left out."""
    return _or_leave_out(toolchain.postgresql)


@pytest.fixture(scope="session")
def staged_tree(tmp_path_factory):
    """The tree that is flashed, for the board `unix` (SOURCE=1: the sources). To be copied, not changed."""
    out = tmp_path_factory.mktemp("staged") / "unix"
    return staging.stage("unix", out, source=bool(os.environ.get("SOURCE"))).out


def pytest_configure(config):
    """Name the markers."""
    text = "slow: takes more than a few seconds; `make check` leaves it to `make test`"
    config.addinivalue_line("markers", text)


def pytest_runtest_logreport(report):
    """Count what is left out."""
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        _left_out[reason.removeprefix("Skipped: ").strip()] += 1


def pytest_unconfigure(config):
    """Say, as the last lines, which tests were left out and how to have them."""
    if hasattr(config, "workerinput"):
        return
    for reason, count in _left_out.items():
        print(f"left out: {count} test{'s' * (count > 1)}, for want of this: {reason}")
    if not _left_out:
        print("left out: nothing")
