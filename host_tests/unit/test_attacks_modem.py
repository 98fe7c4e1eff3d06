"""A modem that means harm: the driver lives, heals, keeps its heap and never holds the loop; the cases: mp_attacks_modem.py."""

import pytest

from host_tests.unit import mp_cases


@pytest.mark.parametrize("name", mp_cases.names("mp_attacks_modem"))
def test_a_hostile_modem(each_micropython, name):
    mp_cases.check("mp_attacks_modem", name, each_micropython)
