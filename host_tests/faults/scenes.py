"""The whole terminal in a world that goes wrong: one scene a fault, judged by the pin log and by the broker.

A scene is a function of (world, findings). Nothing the terminal prints or claims counts: what must come is waited for at the
broker, what must not happen is looked for among the relay's edges. Times in the terminal's seconds where a name says so.
"""

import contextlib
import time

from host_tests.faults import burn, truth
from host_tests.faults.findings import LOST, RELAY, UNRECOVERED
from host_tests.system.harness import FACTOR, RELAY_PIN

_PATIENCE_S = 40  # host seconds for what must come
_RECOVERY_S = 75  # and after an outage, with the modem's ladder and the link's waits
_NO_PATIENCE_S = 5  # where something is found already
_WAIT_S = 180  # fail_open_after_s of the worlds
_DAY_MS = 86400000
_INTERVAL_S = 30
_FLASH_WRITES = (1, 2, 3, 5, 8)  # the writes at which the power goes


def comes(condition, timeout_s=_PATIENCE_S):
    """Wait until condition() is true; return whether it came."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


def changes(world):
    """Return what the welder felt so far."""
    return truth.switchings(world.chip.pin_log(), RELAY_PIN)


def was_powered_since(world, count):
    """Whether the welder got its power after the first so many switchings."""
    return any(powered for _, powered in changes(world)[count:])


def online(world, findings, times):
    """Wait for the login of that number."""
    came = comes(lambda: len(world.platform.uplinks("00")) >= times, _RECOVERY_S)
    return findings.unless(came, UNRECOVERED, "no_login", f"login {times} did not come: {world.story()}")


def answered(world, findings, request_id, name="no_answer"):
    """Wait for the answer to an order and return it, {} for none."""
    topic = world.platform.topic("response", request_id)

    def found():
        return next((payload for seen, payload, _ in list(world.platform.messages) if seen == topic), None)

    if findings.unless(comes(found), UNRECOVERED, name, f"{request_id}: {world.story()}"):
        return found()
    return {}


def turned(world, findings, level, name, timeout_s=_PATIENCE_S):
    """Wait for the relay's level."""
    return findings.unless(comes(lambda: world.relay() == level, timeout_s), RELAY, name, f"not {level}: {world.story()}")


def switch_on(world, findings, job="J1"):
    """Order 1 and see the relay on and the answer given; returns the request id."""
    request_id = world.platform.order(1, job=job)
    answer = answered(world, findings, request_id)
    findings.unless(answer.get("code") == 200, UNRECOVERED, "not_obeyed", answer)
    turned(world, findings, 1, "not_powered")
    return request_id


def switch_off(world, findings):
    """Order 0 and see it obeyed."""
    request_id = world.platform.order(0)
    turned(world, findings, 0, "stop_not_obeyed")
    answered(world, findings, request_id)


def settle(world, findings, alarms=()):
    """At the end: every switching and every alarm provoked has come to the platform, each once counted.

    alarms: (kind, whether it ended) of what the scene provoked.
    """
    patience_s = _NO_PATIENCE_S if findings.found else _PATIENCE_S
    comes(lambda: not _missing(world, alarms) and not truth.gaps(world.platform.uplinks()), patience_s)
    missing = _missing(world, alarms)
    findings.count("records_made", len(changes(world)) + len(alarms))
    findings.count("records_lost", len(missing))
    findings.count("records_delivered", len(changes(world)) + len(alarms) - len(missing))
    findings.unless(not missing, LOST, "report_lost", f"{missing}: {world.story()}")
    unknown = truth.gaps(world.platform.uplinks())
    findings.unless(not unknown, LOST, "gap_unexplained", f"{unknown}: {world.story()}")


def _missing(world, alarms):
    told = [(alarm["kind"], "end" in alarm) for alarm in world.platform.alarms()]
    missing = [("alarm",) + alarm for alarm in alarms if alarm not in told]
    return missing + truth.unreported(changes(world), world.platform.events())


# ---- orders


def retained_order(world, findings):
    """An order 1 that the broker retained is there before the terminal."""
    world.platform.publish(world.platform.topic("command", "kept"), {"actionCode": "1", "content": {"job": "J9"}}, retain=True)
    world.chip.power_on()
    if online(world, findings, 1):
        answered(world, findings, world.platform.order(0))
        findings.unless(not was_powered_since(world, 0), RELAY, "retained_order_powered", world.relay_edges())
    settle(world, findings)


def stale_orders(world, findings):
    """A 1 a day old powers nothing; a 0 a day old stops."""
    old_ms = time.time_ns() // 1000000 - _DAY_MS
    answered(world, findings, world.platform.order(1, job="J1", issued_ms=old_ms))
    if not findings.unless(not was_powered_since(world, 0), RELAY, "stale_order_powered", world.relay_edges()):
        return
    switch_on(world, findings)
    world.platform.order(0, issued_ms=old_ms)
    turned(world, findings, 0, "stale_stop_refused", 10)
    settle(world, findings)


def contact_that_fails(world, findings):
    """The contact does not follow the relay: nobody may be told that the welder is on."""
    world.chip.set_pin(22, "0")
    answer = answered(world, findings, world.platform.order(1, job="J1"))
    findings.unless(answer.get("code") == 500, RELAY, "answered_without_read_back", answer)
    world.chip.set_pin(22, f"={RELAY_PIN}")
    settle(world, findings, [("contact_failed", False), ("contact_failed", True)])


def switching_interval(world, findings):
    """On again right after off: the welder gets its power when the interval is over, and the answer comes after it."""
    switch_on(world, findings, "J1")
    switch_off(world, findings)
    request_id = switch_on(world, findings, "J2")
    felt = changes(world)
    gap_s = (felt[-1][0] - felt[-2][0]) * FACTOR / 1e6
    findings.unless(gap_s >= _INTERVAL_S - 2, RELAY, "interval_not_kept", f"{gap_s} s")
    topic = world.platform.topic("response", request_id)
    told_s = next((at for seen, _, at in world.platform.messages if seen == topic), time.monotonic())
    told_us = (told_s - time.monotonic() + time.time()) * 1e6
    findings.unless(told_us > felt[-1][0] - 20000, RELAY, "answered_before_the_relay", f"{(felt[-1][0] - told_us) / 1e6} s before")
    settle(world, findings)


# ---- bans, emergencies


def ban(world, findings):
    """A barred welder stays unpowered through an outage."""
    answered(world, findings, world.platform.order(0, barred=True))
    world.sim.call("network", up=False)
    _stays_unpowered(world, findings, "powered_while_barred")


def ban_and_power_cut(world, findings):
    """The same, with a power cut between the ban and the outage."""
    answered(world, findings, world.platform.order(0, barred=True))
    world.sim.call("network", up=False)
    world.chip.press_reset()
    _stays_unpowered(world, findings, "ban_forgotten")


def _stays_unpowered(world, findings, name):
    world.terminal_passes(_WAIT_S + 200)  # the terminal takes up to 80 s to find out
    findings.unless(not was_powered_since(world, 0), RELAY, name, world.relay_edges())
    world.sim.call("network", up=True)
    online(world, findings, 2)
    settle(world, findings)


def emergency(world, findings):
    """An outage powers the welder after its wait and not before; it ends, and all of it is reported."""
    world.sim.call("network", up=False)
    began_us = time.time_ns() // 1000
    turned(world, findings, 1, "no_emergency", _RECOVERY_S)
    waited_s = (changes(world)[-1][0] - began_us) * FACTOR / 1e6 if changes(world) else _WAIT_S
    findings.unless(waited_s >= _WAIT_S - 5, RELAY, "emergency_too_early", f"{waited_s} s")
    world.sim.call("network", up=True)
    turned(world, findings, 0, "emergency_without_end", _RECOVERY_S)
    settle(world, findings, [("emergency", False), ("emergency", True)])


def flapping_link(world, findings):
    """A link that comes and goes in a hand-over: the time with a session is summed, and ends it."""
    world.chip.set_pin(23, "1")  # at work: only the sum can end it
    world.sim.call("network", up=False)
    turned(world, findings, 1, "no_emergency", _RECOVERY_S)
    for _ in range(4):
        logins = len(world.platform.uplinks("00"))
        world.sim.call("network", up=True)
        if not online(world, findings, logins + 1):
            return
        world.terminal_passes(25)
        if world.relay() == 0:
            break
        world.sim.call("bearer", up=False)
        world.terminal_passes(20)
        world.sim.call("bearer", up=True)
    findings.unless(world.relay() == 0, RELAY, "handover_restarted", world.story())
    world.chip.set_pin(23, "0")
    world.sim.call("network", up=True)
    settle(world, findings, [("emergency", False), ("emergency", True)])


# ---- resets


def crash_at_work(world, findings):
    """A panic does not drop the arc."""
    switch_on(world, findings)
    comes(lambda: world.platform.events())
    felt = len(changes(world))
    world.chip.crash()
    if online(world, findings, 2):
        findings.unless(len(changes(world)) == felt, RELAY, "arc_dropped", world.relay_edges())
    settle(world, findings)


def power_cut_at_work(world, findings):
    """After a power cut the welder is locked, knows the orders it obeyed, and tells that the power went."""
    request_id = switch_on(world, findings)
    settled = comes(lambda: not truth.unreported(changes(world), world.platform.events()))
    findings.unless(settled, LOST, "report_lost", world.story())
    felt = len(changes(world))
    for _ in range(3):
        world.chip.press_reset()
        feeds = world.chip.feeds
        comes(lambda feeds=feeds: world.chip.feeds > feeds)
    came = comes(lambda: any(login["reset"]["boot"] == 4 for login in world.platform.uplinks("00")), _RECOVERY_S)
    if not findings.unless(came, UNRECOVERED, "no_login", f"the last boot's did not come: {world.story()}"):
        return
    findings.unless(not was_powered_since(world, felt), RELAY, "powered_after_a_power_cut", world.relay_edges())
    felt = len(changes(world))
    count = sum(one[0] == world.platform.topic("response", request_id) for one in world.platform.messages)
    world.platform.order(1, request_id=request_id, job="J1")
    comes(lambda: sum(one[0] == world.platform.topic("response", request_id) for one in world.platform.messages) > count)
    findings.unless(not was_powered_since(world, felt), RELAY, "repeat_obeyed", world.relay_edges())
    settle(world, findings)


def full_flash(world, findings):
    """A file system without one free block: the terminal does its duty, its reports come, and it says what is the matter."""
    burn.image(world.flash, world.chip.state / "flash.img", 220, is_full=True)
    world.chip.power_on()
    if not online(world, findings, 1):
        return
    switch_on(world, findings)
    switch_off(world, findings)
    told = comes(lambda: any(beat.get("counters", {}).get("unsaved") for beat in world.platform.uplinks("FF")), _RECOVERY_S)
    findings.unless(told, UNRECOVERED, "full_flash_not_told", world.story())
    settle(world, findings)


def flash_cuts(world, findings):
    """The power goes in the middle of a write to flash, again and again; the boot goes on and every number is explained."""
    burn.image(world.flash, world.chip.state / "flash.img", 260)
    world.chip.power_on()
    for boot, write in enumerate(_FLASH_WRITES, 1):
        if not online(world, findings, boot):
            return
        (world.chip.state / "flash_cut").write_text(str(write))
        is_cut = False
        for level in "10101010":
            world.chip.set_pin(23, level)
            is_cut = is_cut or comes(lambda: (world.chip.state / "flash_cut").read_text() == "0", 1)
        if not is_cut:
            raise AssertionError("nothing was written to flash")
        world.chip.set_pin(23, "0")
        findings.count("faults_tried")
        (world.chip.state / "flash_cut").write_text("0")
        world.chip.press_reset()
    online(world, findings, len(_FLASH_WRITES) + 1)
    switch_on(world, findings)
    switch_off(world, findings)
    settle(world, findings)


def hang(world, findings):
    """The supervisor itself hangs (the scene's firmware does that after 90 s): the watchdog must bite."""
    comes(lambda: world.chip.boots > 1, 20)
    findings.unless(3 in world.chip.reset_causes, UNRECOVERED, "hung_and_never_reset", world.chip.reset_causes)


# ---- links and modems


def reports_through_an_outage(world, findings):
    """Alarms that begin and end while nothing comes through: each is there afterwards."""
    world.sim.call("network", up=False)
    for pin in (22, 23):
        world.chip.set_pin(pin, "1")
        world.terminal_passes(8)
        world.chip.set_pin(pin, "0" if pin == 23 else f"={RELAY_PIN}")
        world.terminal_passes(8)
        findings.count("faults_tried")
    world.sim.call("network", up=True)
    alarms = [(kind, ended) for kind in ("contact_stuck", "welding_while_unpowered") for ended in (False, True)]
    settle(world, findings, alarms)


def reports_through_a_power_cut(world, findings):
    """The same, with the power cut before the network is back: what was on flash is delivered."""
    world.sim.call("network", up=False)
    world.chip.set_pin(23, "1")
    world.terminal_passes(10)
    world.chip.set_pin(23, "0")
    world.terminal_passes(10)
    world.chip.press_reset()
    world.sim.call("network", up=True)
    settle(world, findings, [("welding_while_unpowered", False), ("welding_while_unpowered", True)])


def broker_restarts(world, findings):
    """The platform goes and comes back; what happened meanwhile is delivered, and orders are obeyed again."""
    switch_on(world, findings)
    world.sim.call("network", up=False)
    world.broker.close()
    world.chip.set_pin(22, "0")
    world.terminal_passes(10)
    world.chip.set_pin(22, f"={RELAY_PIN}")
    world.terminal_passes(10)
    world.start_broker()
    if not comes(lambda: _hears_itself(world.platform)):
        raise AssertionError("the platform does not come back to the broker")
    world.sim.call("network", up=True)
    online(world, findings, 2)
    switch_off(world, findings)
    settle(world, findings, [("contact_failed", False), ("contact_failed", True)])


def _hears_itself(platform):
    """Whether the platform's own subscription is there again; what comes before that nobody sees."""
    with contextlib.suppress(RuntimeError, ValueError):
        platform.publish("platform/probe", {"probe": 1})
    return any(topic == "platform/probe" for topic, _, _ in platform.messages)


def modem_that_reboots(world, findings):
    """A modem that restarts, garbles and is late: orders are obeyed afterwards, and the relay does not move by itself."""
    switch_on(world, findings)
    for number, (knob, fields) in enumerate((("reboot", {}), ("close", {"id": 0}))):
        felt = len(changes(world))
        world.sim.call(knob, **fields)
        online(world, findings, 2 + number)
        findings.unless(len(changes(world)) == felt, RELAY, "moved_by_the_modem", world.relay_edges())
        findings.count("faults_tried")
    for noise in ("00ff80c3", "0d0a2b43495052584745543a20", "3e20"):
        world.sim.call("garbage", hex=noise)
        findings.count("faults_tried")
    switch_off(world, findings)
    settle(world, findings)
