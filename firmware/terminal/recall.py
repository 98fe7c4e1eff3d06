"""How the interlock begins: its attributes and what its records put back. Borrowed at the boot.

The other half of `interlock` and `records`: it alone sets their private attributes from outside. Times are whole seconds since
boot. A record that is not intact is not read at all.
"""

import binascii
import struct

from micropython import const

from terminal.borrow import borrow
from terminal.records import STATES

_LIMITS = borrow("limits")
# whatever the configuration says, these are no outage
_NEVER_COUNT = ("refused", "taken_over")

_RESUME_WITHIN_S = const(7)  # a row of limits.SETTINGS
_GOES_ON_S = const(60)  # a wait for an emergency goes on over a reset that took no longer
_RESUMES = const(3)  # at most so many resumes ...
_RESUME_WINDOW_S = const(600)  # ... in so many seconds
_KEPT = b"HK\x01"  # magic and version
_VOLATILE = b"HV\x01"
_KEPT_HEAD = "<3sBBB"  # magic, flags, emergencies over, answered orders
_VOLATILE_HEAD = "<3sBBiiiiiB3H"  # magic, state, announced, five ages, resumes and their ages
_CRC_BYTES = const(4)
_IDS = const(32)
_ROW = const(9)
_JOB_BYTES = const(64)
_HANDOVER_ROW = const(4)  # of interlock.CHANGES
_NEVER = const(0x3FFFFFFF)


def boot(lock, now_s, kept=None, volatile=None, elapsed_s=None, firmware_failed=False, is_power_on=True):
    """Do what `Interlock.boot` promises, to a machine without attributes."""
    _set(lock)
    lock._firmware_failed = firmware_failed
    _begin(lock, now_s)
    was_powered, lost_job = _take_kept(lock, kept)
    _take_volatile(lock, volatile, elapsed_s, was_powered or kept is None or lock.kept_broken, is_power_on)
    lock.powered = lock.state != "LOCKED"
    if lock._emergency_since is not None:
        lock._alarms.append("emergency")
    lock._out.append(("relay", 1 if lock.powered else 0))
    lock._record()
    if lock.powered:
        lock._out.append(("event", "on", "resumed", lock.job, False))
    elif was_powered:
        lock._out.append(("event", "off", "power_lost", lost_job, True))
    return lock._session("modem_dead")


def _set(lock):
    """Take the settings the machine was made with."""
    lock._settings = tuple([lock._settings.get(row[0], row[1]) for row in _LIMITS.SETTINGS])
    causes = _LIMITS.OUTAGE_CAUSES if lock._causes is None else lock._causes
    lock._causes = tuple([cause for cause in causes if cause not in _NEVER_COUNT])


def _begin(lock, now_s):
    lock.job = None
    lock.barred = lock.refused = lock.is_out_of_service = False
    lock.kept_broken = False
    lock.now = now_s
    lock._enter("LOCKED")  # sets since when, _said (ends of the state's timers that were announced) and _emergency_since
    lock._rows = b""
    lock._resumes = []  # seconds of the resumes in the last ten minutes
    lock._alarms = []  # those that are on
    lock._waiting = []  # request ids of obeyed 1s whose answer waits for the relay
    lock._out = []
    lock._next = (_NEVER, 0, 0)  # (second, what, row) that time brings next
    lock._obeyed_at = now_s  # an order was obeyed, or boot
    lock._still_since = None  # sensed as not welding, without a break
    lock._unpowered_at = None  # the welder was last switched off
    lock._cause = "modem_dead"  # None while the session is up
    lock._up_since = now_s
    lock._outage_since = None  # None while there is none
    lock._quiet_since = now_s  # the end of the last outage
    lock._sum_s = 0  # without outage since the emergency began, not counting the time from _quiet_since on
    lock._over = 0  # emergencies ended by emergency_max since the last stable session


def _take_kept(lock, data):
    """Put bans, counts and answered orders back; return (the welder was powered then, its job)."""
    fields = unpack_kept(data)
    if fields is None:
        lock.kept_broken = bool(data)
        return False, None
    flags, lock._over, job, lock._rows = fields
    lock.barred, lock.refused, lock.is_out_of_service, was_powered = flags
    return was_powered, job


def _take_volatile(lock, data, elapsed_s, may_power, is_power_on):
    """Put the state back when the record is intact and young, and not for the fourth time in ten minutes.

    may_power: False when the kept record, which is written with every switching, says that the welder was off: then this one is
    older than a stop. A wait for an emergency goes on whatever the reset, but for a power-on: no crash of ours locks anybody out.
    """
    fields = unpack_volatile(data)
    if fields is None:
        lock.kept_broken = lock.kept_broken or bool(data)
        return
    if elapsed_s is None or elapsed_s < 0:
        return
    ages = [age + elapsed_s for age in fields[3]]
    lock._resumes = [lock.now - age for age in ages if age < _RESUME_WINDOW_S]
    if fields[0] != "LOCKED" and not may_power:
        return
    goes_on = fields[0] == "LOCKED" and not is_power_on and elapsed_s <= _GOES_ON_S
    if elapsed_s <= lock._settings[_RESUME_WITHIN_S] and len(lock._resumes) < _RESUMES:
        lock._resumes.append(lock.now)
    elif not goes_on:
        return
    _resume(lock, fields, lock.now - elapsed_s, goes_on)


def _resume(lock, fields, saved_at, goes_on):
    """What the clock bounds has run on since the save; what nobody sensed meanwhile has not. goes_on: the wait, in LOCKED."""
    lock.state, announced, ages, _resumes, lock.job = fields
    since_s, emergency_s, lock._sum_s, still_s, unpowered_s = ages
    lock._since = saved_at - since_s
    if lock.state in STATES[2:]:  # EMERGENCY, HANDOVER
        lock._emergency_since = saved_at - emergency_s
    if still_s >= 0:
        lock._still_since = lock.now - still_s
    if unpowered_s >= 0:
        lock._unpowered_at = saved_at - unpowered_s
    if lock.state == "HANDOVER":  # no outage ran when it was saved: its sum went on
        lock._sum_s += lock.now - saved_at
    if goes_on:
        lock._outage_since = lock._obeyed_at = saved_at - lock._sum_s
        announced = lock._sum_s and announced  # a wait that begins anew is announced anew
    row, ends = lock._ends()
    for k, end in enumerate(ends):
        if announced >> row + k & 1 and row + k != _HANDOVER_ROW:  # the link's timer begins anew with the boot
            lock._said[k] = end


# ---- bytes


def unpack_kept(data):
    """Return (flags, emergencies_over, job, rows) of a kept record, or None if it is not intact.

    flags: [barred, refused, out of service, powered or about to be]. rows: bytes of the answered orders.
    """
    if not is_sealed(data, _KEPT):
        return None
    head = struct.calcsize(_KEPT_HEAD)
    _magic, bits, over, count = struct.unpack_from(_KEPT_HEAD, data)
    end = head + count * _ROW
    if count > _IDS or not _ends_in_text(data, end):
        return None
    return [bool(bits >> k & 1) for k in range(4)], over, _read_text(data, end), data[head:end]


def unpack_volatile(data):
    """Return (state, announced, ages, resumes, job) of a volatile record, or None if it is not intact.

    announced: 8 bits. ages: five counts of seconds, -1 for none (state entered, emergency entered, handover sum, idle,
    unpowered). resumes: ages of up to three.
    """
    head = struct.calcsize(_VOLATILE_HEAD)
    if not is_sealed(data, _VOLATILE) or not _ends_in_text(data, head):
        return None
    fields = struct.unpack_from(_VOLATILE_HEAD, data)
    if fields[1] >= len(STATES) or fields[8] > _RESUMES:
        return None
    resumes = fields[9 : 9 + fields[8]]
    return STATES[fields[1]], fields[2], fields[3:8], resumes, _read_text(data, head)


def is_sealed(data, magic):
    """Return whether the bytes begin with this magic and end with their CRC-32; None is no record."""
    if not data or len(data) <= len(magic) + _CRC_BYTES or bytes(data[: len(magic)]) != magic:
        return False
    return struct.unpack_from("<I", data, len(data) - _CRC_BYTES)[0] == binascii.crc32(data[:-_CRC_BYTES])


def _ends_in_text(data, at):
    """The text whose length stands at `at` fills the record up to its CRC."""
    end = len(data) - _CRC_BYTES
    return at < end and data[at] <= _JOB_BYTES and at + 1 + data[at] == end


def _read_text(data, at):
    """A text that does not decode is none: it must not take a ban down with it."""
    try:
        return bytes(data[at + 1 : at + 1 + data[at]]).decode() or None
    except UnicodeError:
        return None
