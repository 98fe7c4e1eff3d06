"""The modem under MicroPython, in virtual time; the cases are in mp_modem.py."""

import pytest

from host_tests.unit import mp_cases


@pytest.mark.parametrize("name", mp_cases.names("mp_modem"))
def test_modem(name):
    mp_cases.check("mp_modem", name)
