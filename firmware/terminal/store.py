"""What survives: NVS for power cuts, RTC memory for resets. The devices are handed in.

Owns the two copies of the interlock's kept record, the record in RTC memory with its intent mark, and the
count of boots. Seconds here are the RTC's, less what it was set by since power-on, so that setting the
clock makes nothing look old.

    store = Store(esp32.NVS("hanma"), machine.RTC(), now_rtc_s) volatile, elapsed_s = store.load_volatile()
    # first: nothing but RAM is touched until the relay is set store.begin_boot(is_power_on)
    # sets boots.number, .is_minimal, .firmware_failed kept = store.load_kept()
"""

import binascii
import struct

from micropython import const

_ABSENT = const(-4354)  # ESP_ERR_NVS_NOT_FOUND 0x1102, as esp32.NVS raises it
_CRC_BYTES = const(4)
_COPY_HEAD = "<3sI"  # magic and version, sequence
_COPY_MAGIC = b"HC\x01"
_KEPT_BYTES = const(512)
_BOOTS_BYTES = const(48)
_RTC_HEAD = "<3sqqHB"  # magic and version, step of the clock, second of the save, bytes, bytes of intent
_RTC_MAGIC = b"HR\x01"
_RTC_BYTES = const(1536)  # of the chip's 2 KiB
_INTENT_CHARS = const(40)
# number, flags, crashes of minimal mode, unfinished boots, begin of this one and of those
_BOOTS = "<IBBBqqqq"
_OPEN = const(1)  # flags
_MINIMAL = const(2)
_LOOP_BOOTS = const(3)
_LOOP_S = const(600)
_IDENTITY_BYTES = const(256)


class StoreError(OSError):
    """The devices do not keep what they are given. code: "read", "write", "lost", "size" or "text"."""

    def __init__(self, code, doing):
        super().__init__(code + ": " + doing)
        self.code = code
        self.doing = doing


def _seal(body):
    return body + struct.pack("<I", binascii.crc32(body))


def _is_sealed(data, head, magic):
    if len(data) < struct.calcsize(head) + _CRC_BYTES or bytes(data[: len(magic)]) != magic:
        return False
    return struct.unpack_from("<I", data, len(data) - _CRC_BYTES)[0] == binascii.crc32(data[:-_CRC_BYTES])


def _get_blob(nvs, key, size):
    """Return a blob's bytes, or None when there is none. Raises OSError when it cannot be read."""
    room = bytearray(size)
    try:
        count = nvs.get_blob(key, room)
    except OSError as error:
        if error.args[0] == _ABSENT:
            return None
        raise
    return bytes(room[:count])


class Copies:
    """One record in NVS, written to two keys in turn: a cut write leaves the one before.

    name: the keys are name + "0" and name + "1". size: of the longest record, in bytes.
    """

    def __init__(self, nvs, name, size):
        self.broken = 0  # copies that were there and not intact
        self.writes = 0
        self._nvs = nvs
        self._keys = (name + "0", name + "1")
        self._size = size
        self._data = None
        self._sequence = 0
        self._slot = 1  # of the newest intact copy

    def load(self):
        """Return the newest intact record, or None. Raises StoreError when none can be read."""
        self.broken = 0
        self._data = None
        is_readable = True
        for slot in (0, 1):
            try:
                self._take(slot, self._read(slot))
            except OSError:
                is_readable = False
                self.broken += 1
        if self._data is None and not is_readable:
            raise StoreError("read", self._keys[0])
        return self._data

    def save(self, data):
        """Write a record over the older copy, unless the newer one holds it. Raises StoreError."""
        if data == self._data and not self.broken:
            return
        if len(data) > self._size:
            raise StoreError("size", self._keys[0])
        slot = 1 - self._slot
        self._sequence += 1
        healed = max(0, self.broken - 1)
        self.broken = max(1, self.broken)  # until proved: after a failure even the same record is written
        self._write(slot, _seal(struct.pack(_COPY_HEAD, _COPY_MAGIC, self._sequence) + data))
        self.broken = healed
        self._slot = slot
        self._data = data

    def _read(self, slot):
        return _get_blob(self._nvs, self._keys[slot], self._size + struct.calcsize(_COPY_HEAD) + _CRC_BYTES)

    def _take(self, slot, blob):
        """Keep a copy when it is intact and newer than the other."""
        if blob is None:
            return
        if not _is_sealed(blob, _COPY_HEAD, _COPY_MAGIC):
            self.broken += 1
            return
        sequence = struct.unpack_from(_COPY_HEAD, blob)[1]
        if self._data is None or sequence > self._sequence:
            self._data = blob[struct.calcsize(_COPY_HEAD) : -_CRC_BYTES]
            self._sequence = sequence
            self._slot = slot

    def _write(self, slot, blob):
        try:
            self._nvs.set_blob(self._keys[slot], blob)
            self._nvs.commit()
            self.writes += 1
            is_there = self._read(slot) == blob
        except OSError as error:
            raise StoreError("write", "%s, %s" % (self._keys[slot], error.args[0])) from None
        if not is_there:
            raise StoreError("lost", self._keys[slot])


class Boots:
    """Counts boots and recognises crash loops. Which code runs is chosen by it; the relay is not.

    A boot is unfinished until finish(). Three unfinished ones within ten minutes, power-on and brown-out
    boots among them, give minimal mode. What a power-on hides from the RTC counts as no time at all.
    """

    def __init__(self, copies):
        self.number = 0
        self.is_minimal = False
        self.firmware_failed = False  # minimal mode has crashed three times without a power-on between
        self._copies = copies
        self._crashes = 0
        self._begun_s = 0
        self._unfinished = []

    def begin(self, now_s, is_power_on, was_wanted):
        """Count this boot and choose its mode. now_s: RTC seconds. was_wanted: the reset before it.

        Raises StoreError when the count cannot be read or written; the attributes are right as far as it is
        known.
        """
        try:
            self._load(now_s, is_power_on, was_wanted)
        finally:
            self.number += 1
            self._begun_s = now_s
            self._unfinished = [at for at in self._unfinished if 0 <= now_s - at <= _LOOP_S][-_LOOP_BOOTS:]
            self.firmware_failed = self._crashes >= _LOOP_BOOTS
            self.is_minimal = self.firmware_failed or len(self._unfinished) >= _LOOP_BOOTS
        self._save(True)

    def finish(self):
        """This boot has proved itself: the loop, if there was one, is broken. Raises StoreError."""
        self._unfinished = []
        self._crashes = 0
        self._save(False)

    def _load(self, now_s, is_power_on, was_wanted):
        data = self._copies.load()
        if data is None or len(data) != struct.calcsize(_BOOTS):
            return
        self.number, flags, self._crashes, count, begun_s, *unfinished = struct.unpack(_BOOTS, data)
        self._unfinished = unfinished[:count]
        if flags & _OPEN and not was_wanted:
            self._unfinished.append(begun_s)
            self._crashes += 1 if flags & _MINIMAL else 0
        if is_power_on:
            self._crashes = 0
            shift_s = now_s - max(self._unfinished + [begun_s])
            self._unfinished = [at + shift_s for at in self._unfinished]

    def _save(self, is_open):
        flags = (_OPEN if is_open else 0) | (_MINIMAL if self.is_minimal else 0)
        count = len(self._unfinished)
        times = self._unfinished + [0] * (_LOOP_BOOTS - count)
        crashes = min(self._crashes, _LOOP_BOOTS)
        self._copies.save(struct.pack(_BOOTS, self.number, flags, crashes, count, self._begun_s, *times))


class Store:
    """The devices and what lies in them.

    nvs: esp32.NVS of the namespace. rtc: machine.RTC. now_rtc_s: returns the RTC's time in whole seconds.
    """

    def __init__(self, nvs, rtc, now_rtc_s):
        self.intent = None  # why the reset before this boot was wanted; None for a crash or a power cut
        self.kept = Copies(nvs, "kept", _KEPT_BYTES)
        self.boots = Boots(Copies(nvs, "boots", _BOOTS_BYTES))
        self._nvs = nvs
        self._rtc = rtc
        self._now_rtc_s = now_rtc_s
        self._set_s = 0  # what the clock was set by since power-on
        self._saved_s = 0
        self._volatile = b""
        self._marked = b""
        self.alive_failed = 0

    def now_s(self):
        """Return seconds that no setting of the clock moves; they start again at power-on only."""
        return self._now_rtc_s() - self._set_s

    # ---- RTC memory

    def load_volatile(self):
        """Return (volatile record or None, seconds since its save or None); sets `intent`, once."""
        data = self._rtc.memory()
        if not _is_sealed(data, _RTC_HEAD, _RTC_MAGIC):
            return None, None
        head = struct.calcsize(_RTC_HEAD)
        _magic, self._set_s, self._saved_s, size, intent_size = struct.unpack_from(_RTC_HEAD, data)
        self._volatile = bytes(data[head : head + size])
        if intent_size:
            self.intent = bytes(data[head + size : head + size + intent_size]).decode()
            self._write_rtc()
        elapsed_s = self.now_s() - self._saved_s
        return (self._volatile, elapsed_s) if size and elapsed_s >= 0 else (None, None)

    def save_volatile(self, data):
        """Put the interlock's volatile record into RTC memory. Raises StoreError when it does not fit."""
        self._volatile = data
        self._saved_s = self.now_s()
        self._write_rtc()

    def mark_intent(self, text):
        """Say why the reset that follows is wanted. text: 40 characters are kept; "" takes it back."""
        self._marked = text[:_INTENT_CHARS].encode()
        self._write_rtc()

    def clock_moved(self, step_s):
        """The RTC was set, by so many seconds. To be called right after it."""
        self._set_s += step_s
        self._write_rtc()

    def _write_rtc(self):
        size = len(self._volatile)
        head = struct.pack(_RTC_HEAD, _RTC_MAGIC, self._set_s, self._saved_s, size, len(self._marked))
        data = _seal(head + self._volatile + self._marked)
        if len(data) > _RTC_BYTES:
            raise StoreError("size", "rtc")
        self._rtc.memory(data)

    # ---- NVS

    def begin_boot(self, is_power_on):
        """Count this boot (see Boots.begin); after load_volatile. Raises StoreError."""
        self.boots.begin(self.now_s(), is_power_on, self.intent is not None)

    def finish_boot(self):
        """This boot has proved itself. Raises StoreError."""
        self.boots.finish()

    def load_kept(self):
        """Return the kept record or None. Raises StoreError; `kept.broken` counts broken copies."""
        return self.kept.load()

    def save_kept(self, data):
        """Write the interlock's kept record. Raises StoreError."""
        self.kept.save(data)

    def identity(self, names=("device_id", "secret")):
        """Return a dict of these texts; None for one that was never provisioned. Raises StoreError."""
        return {name: self._read_text(name) for name in names}

    def note_alive(self, unix_s):
        """Keep the time, in minutes: at the next boot it tells about when the power went. A failure is only a worse guess."""
        try:
            self._nvs.set_i32("alive_min", unix_s // 60)
            self._nvs.commit()
        except OSError:
            self.alive_failed += 1

    def alive_ms(self):
        """Return the last time kept by note_alive, in ms since 1970, or None."""
        try:
            return self._nvs.get_i32("alive_min") * 60000
        except OSError:
            return None

    def _read_text(self, key):
        code = "read"
        try:
            data = _get_blob(self._nvs, key, _IDENTITY_BYTES)
            code = "text"
            return None if data is None else data.decode()
        except (OSError, UnicodeError):
            raise StoreError(code, key) from None
