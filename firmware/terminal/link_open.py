"""The way to a session: clock, name, TCP, TLS, MQTT, subscription; and why it is not there.

The other half of `link`, borrowed for each attempt; every step bounded.
"""

import time

from micropython import const

from modem.modem import ModemError
from terminal import tls
from terminal.borrow import borrow
from terminal.mqtt import Session

_CONNECT_MS = const(45000)  # CIPOPEN answers within 15 s by CIPTIMEOUT, 75 s at the worst
_TLS_MS = const(30000)
_MQTT_MS = const(20000)
_REFUSED_WAIT_MS = const(300000)  # three refusals then span ten minutes
_DEAF_TIMES = const(3)  # attempts without any peer before the modem is asked to climb its ladder


async def open_stream(link):
    """Return (the stream to the platform, None), or (None, the cause why there is none)."""
    try:
        if not await _has_clock(link):
            return None, "clock_unknown"
        return await _open(link), None
    except tls.Untrusted as error:
        return None, link.distrust(error)
    except (ModemError, OSError):
        return None, link.modem_cause() or _no_route(link)


def _no_route(link):
    link.counters["failures"] += 1
    link._deaf += 1
    if link._deaf >= _DEAF_TIMES:
        link._deaf = 0
        link._modem.complain()
    return "no_route"


async def _has_clock(link):
    """Certificates and some log-ins need a date: ask the network for it before the first handshake."""
    clock = link._clock
    if not clock.known:
        unix_ms = await link._modem.network_time_ms()
        if unix_ms is not None:
            clock.set_ms(unix_ms, "network")
    return clock.known or not (link._config.tls or link._profile.needs_clock)


async def _open(link):
    config = link._config
    sock = await link._modem.connect(config.host, config.port, timeout_ms=_CONNECT_MS)
    link.prove_life()
    if not config.tls:
        return sock
    try:
        way = borrow("tls_open")
        authorities = _contents(config.ca_file)
        link.room = None  # from here on all that is asked of the heap is for TLS
        return await way.wrap(sock, config.host, authorities, _TLS_MS)
    except BaseException:
        await link.close(sock)
        raise


def _contents(path):
    with open(path, "rb") as file:
        return file.read()


async def open_session(link, stream):
    """CONNECT and subscribe; return (the session, None), or (None, the cause why there is none).

    Raises MqttError and what the stream raises. link.began is set at CONNACK.
    """
    link.prove_life()
    mqtt = borrow("mqtt_open")
    profile = link._profile
    session = Session(stream, link._desk.on_message)
    try:
        # one time for client id and password: an hour that turns in between would make them disagree
        profile.renew(link._clock.unix_s())
        will = profile.will()
        await mqtt.connect(
            session, profile.client_id, profile.username, profile.password, profile.keepalive_s, will, _MQTT_MS
        )
        link.counters["connects"] += 1
        link.began = time.ticks_ms()
        link._deaf = 0
        for topic in profile.subscriptions():
            await mqtt.subscribe(session, topic)
        return session, None
    except mqtt.Refused as refusal:
        if refusal.code == 3:
            return None, "no_answer"
        link.counters["refusals"] += 1
        link._refusals += 1
        link._wait_ms = _REFUSED_WAIT_MS
        return None, "refused"
    except BaseException:
        session.over("closed")
        raise
