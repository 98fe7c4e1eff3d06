"""The modem under MicroPython, in virtual time; the cases are in the files mp_<…>.py named here."""

import pytest

from host_tests.unit import mp_cases


@pytest.mark.parametrize("name", mp_cases.names("mp_modem"))
def test_modem(name):
    mp_cases.check("mp_modem", name)


@pytest.mark.parametrize("name", mp_cases.names("mp_family"))
def test_its_dialect(name):
    mp_cases.check("mp_family", name)


@pytest.mark.parametrize("name", mp_cases.names("mp_quectel"))
def test_a_quectel_modem(name):
    mp_cases.check("mp_quectel", name)


@pytest.mark.parametrize("name", mp_cases.names("mp_sim"))
def test_a_sim(name):
    mp_cases.check("mp_sim", name)


@pytest.mark.slow
@pytest.mark.parametrize("name", mp_cases.names("mp_ladder"))
def test_the_ladder_of(name):
    mp_cases.check("mp_ladder", name)
