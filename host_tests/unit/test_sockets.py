"""The modem's sockets under MicroPython, in virtual time; the cases are in mp_sockets.py."""

import pytest

from host_tests.unit import mp_cases


@pytest.mark.parametrize("name", mp_cases.names("mp_sockets"))
def test_sockets(name):
    mp_cases.check("mp_sockets", name)
