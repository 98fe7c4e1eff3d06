"""What the interlock leaves behind for its next boot: bytes in two shapes, and the memory of answered orders.
Pure.

kept: bans, counts, answered orders and the job that is on; survives power cuts (NVS). volatile: state and
ages in whole seconds; survives resets (RTC memory). Both carry a magic, a version and a CRC-32; what is not
intact is not read at all.
"""

import binascii
import hashlib
import struct

from micropython import const

LOCKED = "LOCKED"
AUTHORISED = "AUTHORISED"
EMERGENCY = "EMERGENCY"
HANDOVER = "HANDOVER"
STATES = (LOCKED, AUTHORISED, EMERGENCY, HANDOVER)

ON = const(0)  # rows of ANSWERS
OFF = const(1)
BUSY = const(2)
STALE = const(3)
FUTURE = const(4)
OUT_OF_SERVICE = const(5)
SERVICE = const(6)
CANCELLED = const(7)
ANSWERS = (
    (200, "on"),
    (200, "off"),
    (500, "busy"),
    (500, "stale"),
    (500, "future"),
    (500, "out_of_service"),
    (500, "service"),
    (500, "cancelled"),
)

JOB_BYTES = const(64)  # the longest job id that is kept, UTF-8
RESUMES = const(3)  # at most so many resumes ...
RESUME_WINDOW_S = const(600)  # ... in so many seconds

_KEPT = b"HK\x01"  # magic and version
_VOLATILE = b"HV\x01"
_KEPT_HEAD = "<3sBBB"  # magic, flags, emergencies over, answered orders
_VOLATILE_HEAD = "<3sBBiiiiiB3H"  # magic, state, announced, five ages, resumes and their ages
_FLAGS = const(4)
_CRC = "<I"
_CRC_BYTES = const(4)
_IDS = const(32)  # the last so many orders are known again
_ID_BYTES = const(8)  # of the id's SHA-256: a platform does not collide by chance
_ROW = const(9)  # id, then one byte: answer, action, overtaken
_ANSWER_MASK = const(0x0F)
_ACTION = const(0x10)
_OVERTAKEN = const(0x20)
_AGE_MAX = const(0x3FFFFFFF)
_U16_MAX = const(0xFFFF)


def digest(request_id):
    """Return the 8 bytes by which an order is known again. request_id: text."""
    return hashlib.sha256(request_id.encode()).digest()[:_ID_BYTES]


def clip(job):
    """Return the job id cut to 64 bytes of UTF-8 at a character's edge; None for none or an empty one."""
    if not job:
        return None
    data = job.encode()
    if len(data) <= JOB_BYTES:
        return job
    end = JOB_BYTES
    while data[end] & 0xC0 == 0x80:
        end -= 1
    return data[:end].decode()


class Answered:
    """The last 32 orders by id and action, each with its answer; the oldest makes room."""

    def __init__(self, data=b""):
        self._rows = bytearray(_IDS * _ROW)
        self._count = len(data) // _ROW
        self._rows[: self._count * _ROW] = data

    def answer(self, mark, action):
        """Return the row of ANSWERS this order got, or None when it is new. mark: digest or None."""
        at = self._find(mark, action)
        return None if at is None else self._rows[at + _ID_BYTES] & _ANSWER_MASK

    def is_overtaken(self, mark):
        """Return True when a 1 with another id was obeyed since this 0 was."""
        at = self._find(mark, 0)
        return at is not None and bool(self._rows[at + _ID_BYTES] & _OVERTAKEN)

    def store(self, mark, action, answer):
        """Remember an answer, in place when the order is known. mark: digest, None for no id."""
        if mark is None:
            return
        at = self._find(mark, action)
        if at is None:
            at = self._room()
            self._rows[at : at + _ID_BYTES] = mark
        self._rows[at + _ID_BYTES] = answer | (_ACTION if action else 0)

    def overtake(self, mark):
        """A 1 with this digest (None: without id) is obeyed: no 0 with another id is to be obeyed again."""
        rows = self._rows
        for at in range(0, self._count * _ROW, _ROW):
            if not rows[at + _ID_BYTES] & _ACTION and rows[at : at + _ID_BYTES] != mark:
                rows[at + _ID_BYTES] |= _OVERTAKEN

    def pack(self):
        """Return the rows, oldest first, as bytes."""
        return bytes(self._rows[: self._count * _ROW])

    def _find(self, mark, action):
        if mark is None:
            return None
        rows = self._rows
        wanted = _ACTION if action else 0
        for at in range(0, self._count * _ROW, _ROW):
            if rows[at] == mark[0] and rows[at + _ID_BYTES] & _ACTION == wanted and rows[at : at + _ID_BYTES] == mark:
                return at
        return None

    def _room(self):
        if self._count == _IDS:
            self._rows[:-_ROW] = self._rows[_ROW:]
        else:
            self._count += 1
        return (self._count - 1) * _ROW


def pack_kept(flags, emergencies_over, job, answered):
    """Return the record for NVS, 363 bytes at the most.

    flags: (barred, refused, out of service, powered or about to be). emergencies_over: 0..255, ended by
    emergency_max_s since the last stable session. job: text or None. answered: Answered.
    """
    rows = answered.pack()
    bits = 0
    for k in range(_FLAGS):
        bits |= bool(flags[k]) << k
    head = struct.pack(_KEPT_HEAD, _KEPT, bits, emergencies_over, len(rows) // _ROW)
    return _seal(head + rows + _text(job))


def unpack_kept(data):
    """Return (flags, emergencies_over, job, Answered) as packed, or None if the record is not intact."""
    if not _is_intact(data, _KEPT):
        return None
    head = struct.calcsize(_KEPT_HEAD)
    _magic, bits, over, count = struct.unpack_from(_KEPT_HEAD, data)
    rows_end = head + count * _ROW
    if count > _IDS or not _ends_in_text(data, rows_end):
        return None
    answered = Answered(data[head:rows_end])
    flags = [bool(bits & (1 << k)) for k in range(_FLAGS)]
    return flags, over, _read_text(data, rows_end), answered


def pack_volatile(state, announced, ages, resumes, job):
    """Return the record for RTC memory, 102 bytes at the most.

    state: one of STATES. announced: 8 bits. ages: five counts of seconds, -1 for none (state entered,
    emergency entered, handover sum, idle, unpowered). resumes: ages of up to three. job: text or None.
    """
    past = [min(age, _U16_MAX) for age in resumes] + [0] * (RESUMES - len(resumes))
    numbers = [min(age, _AGE_MAX) for age in ages] + [len(resumes)] + past
    head = struct.pack(_VOLATILE_HEAD, _VOLATILE, STATES.index(state), announced, *numbers)
    return _seal(head + _text(job))


def unpack_volatile(data):
    """Return (state, announced, ages, resumes, job) as packed, or None if it is not intact."""
    head = struct.calcsize(_VOLATILE_HEAD)
    if not _is_intact(data, _VOLATILE) or not _ends_in_text(data, head):
        return None
    fields = struct.unpack_from(_VOLATILE_HEAD, data)
    if fields[1] >= len(STATES) or fields[8] > RESUMES:
        return None
    resumes = fields[9 : 9 + fields[8]]
    return STATES[fields[1]], fields[2], fields[3:8], resumes, _read_text(data, head)


def recent(resumes, elapsed_s):
    """Return the ages of the resumes that still count, from their ages at the save and the seconds since."""
    return [age + elapsed_s for age in resumes if age + elapsed_s < RESUME_WINDOW_S]


# ---- the interlock's own: what is written of it and how it is put back


def kept(lock):
    """Return the record for NVS of an interlock."""
    powered = lock.state != LOCKED  # also while the switching interval runs: at its end no record is written
    flags = (lock.barred, lock.refused, lock.is_out_of_service, powered)
    return pack_kept(flags, lock.outage.over, lock.job, lock.answered)


def volatile(lock, now_s):
    """Return the record for RTC memory of an interlock as it is at now_s."""
    is_emergency = lock.is_emergency()
    ages = (
        now_s - lock.since,
        now_s - lock.emergency_since if is_emergency else -1,
        lock.outage.quiet_s(now_s) if is_emergency else 0,
        -1 if lock.still_since is None else now_s - max(lock.since, lock.still_since),
        -1 if lock.unpowered_at is None else now_s - lock.unpowered_at,
    )
    resumes = recent([now_s - at for at in lock.resumes], 0)
    return pack_volatile(lock.state, lock.plan.pack(), ages, resumes, lock.job)


def take_kept(lock, data):
    """Put bans, counts and answered orders back; return (the welder was powered then, its job)."""
    fields = unpack_kept(data)
    if fields is None:
        lock.kept_broken = bool(data)
        return False, None
    flags, lock.outage.over, job, lock.answered = fields
    lock.barred, lock.refused, lock.is_out_of_service, was_powered = flags
    return was_powered, job


def take_volatile(lock, data, elapsed_s):
    """Put the state back when the record is intact and young, and not for the fourth time in ten minutes."""
    fields = unpack_volatile(data)
    if fields is None:
        lock.kept_broken = lock.kept_broken or bool(data)
        return
    if elapsed_s is None or elapsed_s < 0:
        return
    lock.resumes = [lock.now - age for age in recent(fields[3], elapsed_s)]
    if elapsed_s <= lock.settings["resume_within_s"] and len(lock.resumes) < RESUMES:
        lock.resumes.append(lock.now)
        _resume(lock, fields, lock.now - elapsed_s)


def _resume(lock, fields, saved_at):
    """What the clock bounds has run on since the save; what nobody sensed meanwhile has not."""
    lock.state, announced, ages, _resumes, lock.job = fields
    since_s, emergency_s, lock.outage.sum_s, still_s, unpowered_s = ages
    lock.since = saved_at - since_s
    if emergency_s >= 0:
        lock.emergency_since = saved_at - emergency_s
    if still_s >= 0:
        lock.still_since = lock.now - still_s
    if unpowered_s >= 0:
        lock.unpowered_at = saved_at - unpowered_s
    if lock.state == HANDOVER:  # no outage ran when it was saved: its sum went on
        lock.outage.sum_s += lock.now - saved_at
    lock.plan.restore(announced, lock)


# ---- bytes


def _text(text):
    data = b"" if text is None else text.encode()
    return bytes((len(data),)) + data


def _ends_in_text(data, at):
    """The text whose length stands at `at` fills the record up to its CRC."""
    end = len(data) - _CRC_BYTES
    return at < end and data[at] <= JOB_BYTES and at + 1 + data[at] == end


def _read_text(data, at):
    """A text that does not decode is none: it must not take a ban down with it."""
    try:
        return bytes(data[at + 1 : at + 1 + data[at]]).decode() or None
    except UnicodeError:
        return None


def _seal(body):
    return body + struct.pack(_CRC, binascii.crc32(body))


def _is_intact(data, magic):
    if not data or len(data) <= len(magic) + _CRC_BYTES or bytes(data[: len(magic)]) != magic:
        return False
    return struct.unpack_from(_CRC, data, len(data) - _CRC_BYTES)[0] == binascii.crc32(data[:-_CRC_BYTES])
