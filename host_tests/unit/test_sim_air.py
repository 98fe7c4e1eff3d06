"""The count of IP bytes on the air follows TCP's segments and acknowledgements."""

from host_tests.sim.air import DOWN, UP, Air


def test_a_lone_segment_costs_an_acknowledgement_once_the_timer_has_run_out():
    air = Air()
    air.tcp(0, DOWN, 10)
    air.settle(199)
    assert air.ip == [0, 50]
    air.settle(200)
    assert air.ip == [40, 50]


def test_an_answer_in_time_carries_the_acknowledgement():
    air = Air()
    air.tcp(0, UP, 100)
    air.tcp(30, DOWN, 4)
    air.settle(None)
    assert air.ip == [140 + 40, 44]


def test_an_answer_after_the_timer_does_not():
    air = Air()
    air.tcp(0, UP, 100)
    air.tcp(150, DOWN, 4)
    air.settle(None)
    assert air.ip == [140 + 40, 40 + 44]


def test_every_second_segment_is_acknowledged_at_once():
    air = Air()
    air.tcp(0, DOWN, 1400 * 5)
    air.settle(0)
    assert air.segments == [2, 5]
    air.settle(None)
    assert air.segments == [3, 5]


def test_without_delayed_acknowledgements_each_segment_costs_one():
    air = Air((0, 0))
    air.tcp(0, UP, 1401)
    air.tcp(0, DOWN, 1)
    assert air.ip == [1401 + 80 + 40, 1 + 40 + 80]


def test_handshake_close_datagrams_and_names_are_counted():
    air = Air()
    air.opened()
    air.closed(UP)
    assert air.ip == [160, 80]
    air.udp(UP, 48)
    air.name("a.b")
    assert air.ip == [160 + 76 + 49, 80 + 65]
