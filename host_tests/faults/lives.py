"""Scenes whose judgement is a time: lives of the terminal in virtual time, which a busy host cannot stretch. CPython.

A life is a function of (directory, tree, findings), judged by the pins' log and by the broker's. Times in ms of the world's clock.
"""

import pathlib

from hanma import toolchain
from host_tests.faults.findings import LOST, RELAY, UNRECOVERED, Findings
from host_tests.virtual.world import VirtualWorld

_WAIT_S = 180  # fail_open_after_s
_CUT_MS = 120000  # the data call is lost, which the modem tells at once
_BACK_MS = _CUT_MS + 300000
_END_MS = _BACK_MS + 300000
_FLAPS = 6
_FLAP_MS = 45000  # up for so long, then down for as long
_SUM_S = 60  # handover_max_s: two or three times up, none of them long enough alone
_WELDING = 23  # boards/unix.py


def _world(directory, tree, until_ms, **config):
    settings = {"fail_open_after_s": _WAIT_S, "link_stable_s": 5, **config}
    return VirtualWorld(directory, toolchain.micropython(), until_ms, config=settings, tree=tree)


def _bearer(world, at_ms, is_up):
    world.knob(at_ms, "radio", "set_bearer", is_up)


def _edge(outcome, level, from_ms):
    """Return when the relay first took this level from then on, or None."""
    return next((ms for ms, seen in outcome.relay() if ms >= from_ms and seen == level), None)


def _settle(outcome, findings):
    """What the relay did, and the emergency's begin and end, are with the platform."""
    felt = [level for _, level in outcome.relay()][1:]
    told = [event["relay"] for event in outcome.events()]
    alarms = {"end" in content for _, content in outcome.uplinks("E0") if content["kind"] == "emergency"}
    findings.count("records_made", len(felt) + 2)
    findings.count("records_delivered", min(len(told), len(felt)) + len(alarms))
    findings.count("records_lost", max(0, len(felt) - len(told)) + 2 - len(alarms))
    findings.unless(told == felt and len(alarms) == 2, LOST, "report_lost", f"{felt} {told} {alarms} {outcome.console()[-1000:]}")


def emergency_in_time(directory, tree, findings):
    """An outage powers the welder after its wait and not before; the emergency ends."""
    world = _world(directory, tree, _END_MS, handover_idle_s=20)
    _bearer(world, _CUT_MS, False)
    _bearer(world, _BACK_MS, True)
    outcome = world.run()
    on_ms = _edge(outcome, 1, 0)
    if not findings.unless(on_ms is not None, RELAY, "no_emergency", outcome.console()[-1000:]):
        return
    waited_s = (on_ms - _CUT_MS) / 1000
    findings.unless(waited_s >= _WAIT_S - 1, RELAY, "emergency_too_early", f"{waited_s} s")
    findings.unless(_edge(outcome, 0, _BACK_MS), RELAY, "emergency_without_end", outcome.relay())
    _settle(outcome, findings)


def handover_over_flaps(directory, tree, findings):
    """A link that comes and goes in a hand-over, the welder at work: the time with a session is summed, and ends it."""
    flaps_end_ms = _BACK_MS + 2 * _FLAPS * _FLAP_MS
    world = _world(directory, tree, flaps_end_ms + 60000, handover_max_s=_SUM_S, handover_idle_s=3600)
    world.pin(_WELDING, "1")
    _bearer(world, _CUT_MS, False)
    for flap in range(_FLAPS):
        _bearer(world, _BACK_MS + 2 * flap * _FLAP_MS, True)
        _bearer(world, _BACK_MS + (2 * flap + 1) * _FLAP_MS, False)
    _bearer(world, flaps_end_ms, True)
    outcome = world.run()
    findings.unless(_edge(outcome, 1, 0), RELAY, "no_emergency", outcome.console()[-1000:])
    logins = [ms for ms, _ in outcome.uplinks("00") if _BACK_MS <= ms < flaps_end_ms]
    findings.unless(len(logins) >= 3, UNRECOVERED, "no_login", f"{logins}")
    off_ms = _edge(outcome, 0, _BACK_MS)
    findings.unless(off_ms is not None and off_ms < flaps_end_ms, RELAY, "handover_restarted", f"{outcome.relay()} {logins}")


LIVES = {"emergency_in_time": emergency_in_time, "handover_over_flaps": handover_over_flaps}


def run(name, tree, directory):
    """Live through one and return its findings as a dict."""
    findings = Findings()
    findings.count("faults_tried")
    try:
        LIVES[name](pathlib.Path(directory) / "life", tree, findings)
    except AssertionError as error:
        findings.unless(False, UNRECOVERED, "broke_down", str(error))
    return findings.result()
