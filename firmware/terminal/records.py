"""What the interlock leaves behind: bytes in two shapes, and the memory of answered orders. Pure; `recall` reads them back.

kept: bans, counts, answered orders and the job that is on; survives power cuts (NVS). volatile: state and ages in whole
seconds; survives resets (RTC memory). Both carry a magic, a version and a CRC-32.
"""

import binascii
import hashlib
import struct

from micropython import const

_LOCKED = const("LOCKED")
STATES = (_LOCKED, "AUTHORISED", "EMERGENCY", "HANDOVER")

_JOB_BYTES = const(64)  # the longest job id that is kept, UTF-8
_RESUME_WINDOW_S = const(600)  # resumes older than this are forgotten
_IDS = const(32)  # the last so many orders are known again
_ID_BYTES = const(8)  # of the id's SHA-256: a platform does not collide by chance
_ROW = const(9)  # id, then one byte: answer, action, overtaken
_ACTION_SHIFT = const(4)
_OVERTAKEN = const(0x20)
_AGE_MAX = const(0x3FFFFFFF)


def digest(request_id):
    """Return the 8 bytes by which an order is known again; None for None. request_id: text."""
    return None if request_id is None else hashlib.sha256(request_id.encode()).digest()[:_ID_BYTES]


def clip(job):
    """Return the job id cut to 64 bytes of UTF-8 at a character's edge; None for none or an empty one."""
    if not job:
        return None
    data = job.encode()
    if len(data) <= _JOB_BYTES:
        return job
    end = _JOB_BYTES
    while data[end] & 0xC0 == 0x80:
        end -= 1
    return data[:end].decode()


def seal(body):
    """Return the bytes with their CRC-32 behind them."""
    return body + struct.pack("<I", binascii.crc32(body))


class Memory:
    """The part of the interlock that remembers; `_rows` and `_count` are its own, the other attributes are read."""

    def kept(self):
        """Return what must survive power cuts, at most 363 bytes."""
        powered = self.state != _LOCKED  # also while the switching interval runs: at its end no record is written
        flags = self.barred | self.refused << 1 | self.is_out_of_service << 2 | powered << 3
        head = struct.pack("<3sBBB", b"HK\x01", flags, self._over, self._count)
        return self._with_job(head + self._rows[: self._count * _ROW])

    def volatile(self, now_s):
        """Return what must survive resets, at most 102 bytes; its ages are those at now_s."""
        now_s = max(now_s, self.now)
        resumes = [now_s - at for at in self._resumes if now_s - at < _RESUME_WINDOW_S]
        ages = [
            now_s - self._since,
            -1,
            0,
            -1 if self._still_since is None else now_s - max(self._since, self._still_since),
            -1 if self._unpowered_at is None else now_s - self._unpowered_at,
        ]
        if self._is_emergency():
            ages[1] = now_s - self._emergency_since
            ages[2] = self._sum_s + (now_s - self._quiet_since if self._outage_since is None else 0)
        numbers = [min(age, _AGE_MAX) for age in ages] + [len(resumes)] + resumes + [0] * (3 - len(resumes))
        state = STATES.index(self.state)
        return self._with_job(struct.pack("<3sBBiiiiiB3H", b"HV\x01", state, self._announced(), *numbers))

    def _with_job(self, data):
        job = self.job.encode() if self.job else b""
        return seal(data + bytes((len(job),)) + job)

    # ---- the last 32 orders by id and action, each with its answer; the oldest makes room

    def _given(self, mark, action):
        """Return what this order got: its answer, | _OVERTAKEN for a 0; None when it is new. mark: digest or None."""
        at = self._find(mark, action)
        return None if at is None else self._rows[at]

    def _store(self, mark, action, answer):
        """Remember an answer, in place when the order is known. mark: digest, None for no id."""
        if mark is None:
            return
        rows = self._rows
        at = self._find(mark, action)
        if at is None:
            if self._count == _IDS:
                rows[:-_ROW] = rows[_ROW:]
            else:
                self._count += 1
            at = self._count * _ROW - 1
            rows[at - _ID_BYTES : at] = mark
        rows[at] = answer | action << _ACTION_SHIFT

    def _overtake(self, mark):
        """A 1 with this digest (None: without id) is obeyed: no 0 with another id is to be obeyed again."""
        rows = self._rows
        for at in range(_ID_BYTES, self._count * _ROW, _ROW):
            if not rows[at] & 1 << _ACTION_SHIFT and rows[at - _ID_BYTES : at] != mark:
                rows[at] |= _OVERTAKEN

    def _find(self, mark, action):
        """Return where an order's last byte stands, or None."""
        rows = self._rows
        for at in range(_ID_BYTES, self._count * _ROW, _ROW):
            # the first byte before the whole: a slice for each of 32 rows is garbage
            is_near = mark and rows[at - _ID_BYTES] == mark[0] and rows[at] >> _ACTION_SHIFT & 1 == action
            if is_near and rows[at - _ID_BYTES : at] == mark:
                return at
        return None
