"""Fills a new modem.modem's Modem, its Channel and its Sockets: what each part of them is. Borrowed, once.

What only other borrowed modules use has a public name: staging shortens a private one so that it differs from those in
the files where it is written, and that has to be the class's own. Times are in ms unless named otherwise, levels in dBm.
"""

import asyncio
import time

from micropython import RingIO

from modem.at import RESULTS, Conversation
from modem.borrow import borrow
from modem.channel import Channel
from modem.sockets import RING, Sockets

_COUNTERS = (
    "power_cycles", "radio_cycles", "reopened", "reboots", "complaints",
    "commands", "timeouts", "unknown_lines", "overlong",
)  # fmt: skip


def fill(modem, uart, dialect, settings, power):
    """Fill a Modem; see there."""
    modem.settings = settings
    modem.power = power
    modem.counters = dict.fromkeys(_COUNTERS, 0)  # since boot
    dialect = dialect or borrow("family").named(settings.get("family") or "auto")
    modem.channel = _channel(modem, uart, dialect)
    modem.sockets = _sockets(modem)
    speak(modem, dialect)
    modem.beat = None  # called by run() at least every two minutes, to prove life
    modem.cause = "modem_dead"  # why there is no data call; None when there is one
    modem.problem = None  # the last trouble of this boot that is known in detail: `no_sim.puk`, say, or a sentence
    modem.up = asyncio.Event()  # set while there is one
    modem.imei = modem.iccid = modem.imsi = modem.model = modem.operator = None  # text
    modem.sim_state = None  # text of CPIN: READY, SIM PIN, NOT INSERTED …, or the code of its refusal
    modem.sim_pulled = False  # it was ready earlier in this boot and is gone
    modem.rsrp_dbm = modem.rssi_dbm = None
    modem._sim_seen = False
    modem._registration = 0  # stat of CEREG
    modem.registered = (1,) if settings.get("roaming") is False else (1, 5)  # home, roaming: 27.007 10.1.22
    modem.pin_works = None  # whether the SIM took the configured PIN; None when it was not tried in this boot
    modem._changed = asyncio.Event()  # a URC that the running step should look at
    modem._rebooted = False
    modem._standing = False  # a data call was opened and is watched
    modem._trouble = None  # code of what broke it
    modem._waits = {}  # name of a URC: Pending that its value ends
    modem._memory = None  # ladder.climb()'s; None when the link has held
    modem.cycles_s = []  # when the power and radio cycles of the last day were
    modem.powered = None  # it answered, or the key was pressed and must have switched it on; None before the first look
    modem._deaf = True  # it did not answer the last time
    modem.access = 0  # index into the access points, two for each: every one is tried twice
    modem._seconds = 0  # since start; ticks alone fail after six days
    modem._second_ticks = time.ticks_ms()
    modem._gnss = None  # None off, False warming up, True ready
    modem.gnss_ticks = 0
    modem._broken = None  # what ended one of the channel's tasks
    modem._unproven = None  # bytes received when the application complained of no peer


def speak(modem, dialect):
    """Give the modem a dialect; nothing may be in flight and no link open."""
    channel = modem.channel
    sockets = modem.sockets
    modem.dialect = channel._dialect = sockets.dialect = dialect
    talk = channel._talk
    talk._urcs = dialect.URCS
    talk._raws = dialect.RAWS
    talk._finals = RESULTS + dialect.FINALS
    sockets._links = [None] * dialect.LINKS  # the Socket on each
    sockets.rings = [None] * dialect.LINKS  # made at their first use, and kept
    if dialect.LINKS:
        sockets.rings[0] = RingIO(RING)  # this one is always needed: while the heap is in one piece


def _channel(modem, uart, dialect):
    channel = Channel()
    channel._uart = uart
    channel.baudrate = modem.settings.get("baud")  # what the UART is set to, bit/s; None when nobody told
    channel._on_urc = modem._on_urc
    channel._on_tick = modem._on_tick
    channel._talk = Conversation(dialect)
    channel._queue = []
    channel._current = None
    channel._deadline = 0
    channel._probes_left = 0  # while finding the footing
    channel._late = None  # a payload whose prompt may still come
    channel._out = b""  # what the UART has not taken yet: bytes, or a memoryview of them
    channel._out_more = asyncio.Event()
    channel._counts = modem.counters
    return channel


def _sockets(modem):
    sockets = Sockets()
    sockets.channel = modem.channel
    sockets.look_ms = 32000  # the longest between two looks for data whose arrival was not told
    sockets.received = 0  # bytes, ever: proof that a peer is there
    return sockets
