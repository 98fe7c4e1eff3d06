"""What survives: NVS for power cuts, RTC memory for resets. The devices are handed in; what a boot reads of them is in `boots`.

Owns the two copies of the interlock's kept record and the record in RTC memory with its intent mark. Seconds here are the
RTC's, less what it was set by since power-on, so that setting the clock makes nothing look old.
"""

import hashlib
import struct

from micropython import const

from terminal.records import seal

_ABSENT = const(-4354)  # ESP_ERR_NVS_NOT_FOUND 0x1102, as esp32.NVS raises it
_COPY_HEAD = "<3sI"  # magic and version, sequence
_COPY_EXTRA = const(11)  # bytes of that and of the CRC
_RTC_HEAD = "<3sqqHB"  # magic and version, step of the clock, second of the save, bytes, bytes of intent
_RTC_BYTES = const(1536)  # of the chip's 2 KiB
_INTENT_CHARS = const(40)


class StoreError(OSError):
    """The devices do not keep what they are given. Its text begins with "read", "write", "lost", "size" or "text"."""


def get_blob(nvs, key, size):
    """Return a blob's bytes, or None when there is none. Raises OSError when it cannot be read."""
    room = bytearray(size)
    try:
        return bytes(room[: nvs.get_blob(key, room)])
    except OSError as error:
        if error.args[0] != _ABSENT:
            raise
    return None


class Copies:
    """One record in NVS, written to two keys in turn: a cut write leaves the one before. `boots.load` reads it.

    name: the keys are name + "0" and name + "1". size: of the longest record, in bytes. broken: copies that were there and not
    intact.
    """

    def __init__(self, nvs, name, size):
        self.broken = 0
        self._nvs = nvs
        self._name = name
        self._size = size
        self._saved = None  # the SHA-256 of the newest record
        self._sequence = 0
        self._slot = 1  # of the newest intact copy

    def save(self, data):
        """Write a record over the older copy, unless the newer one holds it. Raises StoreError."""
        mark = hashlib.sha256(data).digest()
        if mark == self._saved and not self.broken:
            return
        name = self._name
        if len(data) > self._size:
            raise StoreError("size: " + name)
        slot = 1 - self._slot
        self._sequence += 1
        healed = max(0, self.broken - 1)
        self.broken = max(1, self.broken)  # until proved: after a failure even the same record is written
        blob = seal(struct.pack(_COPY_HEAD, b"HC\x01", self._sequence) + data)
        nvs = self._nvs
        key = name + str(slot)
        try:
            nvs.set_blob(key, blob)
            nvs.commit()
            is_there = get_blob(nvs, key, self._size + _COPY_EXTRA) == blob
        except OSError as error:
            raise StoreError("write: %s, %s" % (name, error.args[0])) from None
        if not is_there:
            raise StoreError("lost: " + name)
        self.broken = healed
        self._slot = slot
        self._saved = mark


class Store:
    """The devices and what lies in them.

    nvs: esp32.NVS of the namespace. rtc: machine.RTC. now_rtc_s: returns the RTC's time in whole seconds. kept: Copies of the
    interlock's kept record. `boots` sets number, of this boot; is_minimal; firmware_failed: minimal mode has crashed three
    times without a power-on between; intent: why the reset before this boot was wanted, None for a crash or a power cut.
    """

    def __init__(self, nvs, rtc, now_rtc_s):
        self.intent = None
        self.number = 0
        self.is_minimal = self.firmware_failed = False
        self.kept = Copies(nvs, "kept", 512)
        self._nvs = nvs
        self._rtc = rtc
        self._now_rtc_s = now_rtc_s
        self._set_s = 0  # what the clock was set by since power-on
        self._saved_s = 0
        self._volatile = b""
        self._marked = b""

    def now_s(self):
        """Return seconds that no setting of the clock moves; they start again at power-on only."""
        return self._now_rtc_s() - self._set_s

    def save_volatile(self, data):
        """Put the interlock's volatile record into RTC memory. Raises StoreError when it does not fit."""
        self._volatile = data
        self._saved_s = self.now_s()
        self._write_rtc()

    def mark_intent(self, text):
        """Say why the reset that follows is wanted. text: 40 characters are kept; "" takes it back."""
        self._marked = text[:_INTENT_CHARS].encode()
        self._write_rtc()

    def set_clock(self, when):
        """Set the RTC. when: machine.RTC().datetime's tuple, UTC."""
        before_s = self._now_rtc_s()
        self._rtc.datetime(when)
        self._set_s += self._now_rtc_s() - before_s
        self._write_rtc()

    def _write_rtc(self):
        size = len(self._volatile)
        head = struct.pack(_RTC_HEAD, b"HR\x01", self._set_s, self._saved_s, size, len(self._marked))
        data = seal(head + self._volatile + self._marked)
        if len(data) > _RTC_BYTES:
            raise StoreError("size: rtc")
        self._rtc.memory(data)

    def note_alive(self, unix_s):
        """Keep the time, in minutes: at the next boot it tells about when the power went. A failure is only a worse guess."""
        try:
            self._nvs.set_i32("alive_min", unix_s // 60)
            self._nvs.commit()
        except OSError:
            pass
