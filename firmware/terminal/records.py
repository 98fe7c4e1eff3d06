"""What the interlock leaves behind: bytes in two shapes, and the memory of answered orders. Pure; `recall` reads them back.

kept: bans, counts, answered orders and the job that is on; survives power cuts (NVS). volatile: state and ages in whole
seconds; survives resets (RTC memory). Both carry a magic, a version and a CRC-32.
"""

import binascii
import hashlib
import struct

from micropython import const

STATES = ("LOCKED", "AUTHORISED", "EMERGENCY", "HANDOVER")

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
    job = (job or "")[:_JOB_BYTES]
    while len(job.encode()) > _JOB_BYTES:
        job = job[:-1]
    return job or None


def seal(body):
    """Return the bytes with their CRC-32 behind them."""
    return body + struct.pack("<I", binascii.crc32(body))


class Memory:
    """The part of the interlock that remembers; `_rows` is its own, the other attributes are read."""

    def kept(self):
        """Return what must survive power cuts, at most 363 bytes."""
        powered = self.state != "LOCKED"  # also while the switching interval runs: at its end no record is written
        flags = self.barred | self.refused << 1 | self.is_out_of_service << 2 | powered << 3
        rows = self._rows
        return self._with_job(struct.pack("<3sBBB", b"HK\x01", flags, self._over, len(rows) // _ROW) + rows)

    def volatile(self, now_s):
        """Return what must survive resets, at most 102 bytes; its ages are those at now_s."""
        now_s = max(now_s, self.now)
        since = self._since
        still = self._still_since
        if still is not None:
            still = max(since, still)
        emergency = self._emergency_since
        counted = now_s  # the time without outage as if it had begun there
        if emergency is not None:
            counted = (self._quiet_since if self._outage_since is None else now_s) - self._sum_s
        elif self._outage_since is not None and self._cause != "sim_pulled":  # in LOCKED: since when the wait runs
            counted = max(self._outage_since, since, self._obeyed_at)
        numbers = [STATES.index(self.state), 0]
        announced = self._ends()[0]
        for said in self._said:
            numbers[1] |= (said is not None) << announced
            announced += 1
        for at in (since, emergency, counted, still, self._unpowered_at):
            numbers.append(-1 if at is None else min(now_s - at, _AGE_MAX))
        resumes = []
        for at in self._resumes:
            if now_s - at < _RESUME_WINDOW_S:
                resumes.append(now_s - at)
        numbers += [len(resumes)] + resumes + [0] * (3 - len(resumes))
        return self._with_job(struct.pack("<3sBBiiiiiB3H", b"HV\x01", *numbers))

    def _with_job(self, data):
        job = (self.job or "").encode()
        return seal(data + bytes((len(job),)) + job)

    # ---- the last 32 orders by id and action, each with its answer; the oldest makes room

    def _given(self, mark, action):
        """Return what this order got: its answer, | _OVERTAKEN for a 0; None when it is new. mark: digest or None."""
        rows = self._rows[self._find(mark, action) :]
        return rows[_ID_BYTES] if rows else None

    def _store(self, mark, action, answer):
        """Remember an answer, in place when the order is known. mark: digest, None for no id."""
        if mark:
            at = self._find(mark, action)
            rows = self._rows
            row = mark + bytes((answer | action << _ACTION_SHIFT,))
            self._rows = (rows[:at] + row + rows[at + _ROW :])[-_IDS * _ROW :]

    def _overtake(self, mark):
        """A 1 with this digest (None: without id) is obeyed: no 0 with another id is to be obeyed again."""
        rows = bytearray(self._rows)
        for at in range(_ID_BYTES, len(rows), _ROW):
            if not rows[at] & 1 << _ACTION_SHIFT and rows[at - _ID_BYTES : at] != mark:
                rows[at] |= _OVERTAKEN
        self._rows = bytes(rows)

    def _find(self, mark, action):
        """Return where an order's row begins; where the next one would when it is new."""
        rows = self._rows
        at = rows.find(mark) if mark else -1
        while at >= 0:
            if not at % _ROW and rows[at + _ID_BYTES] >> _ACTION_SHIFT & 1 == action:
                return at
            at = rows.find(mark, at + 1)
        return len(rows)
