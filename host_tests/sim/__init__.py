"""The outside world of the host tests: a simulated modem with its radio network, and a small MQTT broker.

The `*_core` modules and what they import are pure (bytes and time in, bytes out) and run on CPython and
MicroPython; `python -m host_tests.sim` and `python -m host_tests.sim.broker` are their shells on CPython.
"""
