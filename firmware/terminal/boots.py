"""What a boot reads: the records in RTC memory and NVS, the identity, and the count of boots. Borrowed at the boot.

The other half of `store`: it alone sets that room's private attributes. Boots are counted to recognise crash loops: which code
runs is chosen by it; the relay is not. A boot is unfinished until finish(). Three unfinished ones within ten minutes, power-on
and brown-out boots among them, give minimal mode. What a power-on hides from the RTC counts as no time at all. A reset because a
vital task kept dying was wanted by the supervisor alone: that boot has crashed.
"""

import hashlib
import struct

from micropython import const

from terminal.records import seal
from terminal.store import Copies, StoreError, get_blob

_CRC_BYTES = const(4)
_COPY_HEAD = "<3sI"  # as in store
_COPY_MAGIC = b"HC\x01"
_COPY_EXTRA = const(11)
_RTC_HEAD = "<3sqqHB"
_RTC_MAGIC = b"HR\x01"
_BOOTS_BYTES = const(48)
# number, flags, crashes of minimal mode, unfinished boots, begin of this one and of those
_BOOTS = "<IBBBqqqq"
_OPEN = const(1)  # flags
_MINIMAL = const(2)
_LOOP_BOOTS = const(3)
_LOOP_S = const(600)
_IDENTITY_BYTES = const(256)


def load(copies):
    """Return the newest intact record of a `store.Copies`, or None. Raises StoreError when none can be read."""
    copies.broken = 0
    copies._saved = newest = None
    is_readable = True
    for slot in (0, 1):
        try:
            sequence, data = _unsealed(get_blob(copies._nvs, copies._name + str(slot), copies._size + _COPY_EXTRA))
        except OSError:
            is_readable = False
            copies.broken += 1
            continue
        except ValueError:
            copies.broken += 1
            continue
        if data is not None and (newest is None or sequence > copies._sequence):
            newest = data
            copies._sequence = sequence
            copies._slot = slot
    if newest is not None:
        copies._saved = hashlib.sha256(newest).digest()
    elif not is_readable:
        raise StoreError("read: " + copies._name)
    return newest


def _unsealed(data):
    """Return (sequence, record) of a copy, (0, None) for none. Raises ValueError when it is not intact."""
    if data is None:
        return 0, None
    if not _is_sealed(data, _COPY_HEAD, _COPY_MAGIC):
        raise ValueError
    return struct.unpack_from(_COPY_HEAD, data)[1], data[struct.calcsize(_COPY_HEAD) : -_CRC_BYTES]


def load_volatile(store):
    """Return (volatile record or None, seconds since its save or None); sets `intent`, once. Nothing but RAM is touched."""
    data = store._rtc.memory()
    if not _is_sealed(data, _RTC_HEAD, _RTC_MAGIC):
        return None, None
    head = struct.calcsize(_RTC_HEAD)
    _magic, store._set_s, store._saved_s, size, intent_size = struct.unpack_from(_RTC_HEAD, data)
    store._volatile = bytes(data[head : head + size])
    if intent_size:
        try:
            store.intent = bytes(data[head + size : head + size + intent_size]).decode()
        except UnicodeError:
            store.intent = "?"
        store._write_rtc()
    elapsed_s = store.now_s() - store._saved_s
    return (store._volatile, elapsed_s) if size and elapsed_s >= 0 else (None, None)


def _is_sealed(data, head, magic):
    if len(data) < struct.calcsize(head) + _CRC_BYTES:
        return False
    return bytes(data[: len(magic)]) == magic and seal(data[:-_CRC_BYTES]) == data


def begin(store, is_power_on):
    """Count this boot and choose its mode; after load_volatile. Sets number, is_minimal and firmware_failed.

    Raises StoreError when the count cannot be read or written; the attributes are right as far as it is known.
    """
    now_s = store.now_s()
    copies = Copies(store._nvs, "boots", _BOOTS_BYTES)
    unfinished, crashes = [], 0
    try:
        unfinished, crashes = _history(store, load(copies), now_s, is_power_on)
    finally:
        store.number += 1
        unfinished = [at for at in unfinished if 0 <= now_s - at <= _LOOP_S][-_LOOP_BOOTS:]
        store.firmware_failed = crashes >= _LOOP_BOOTS
        store.is_minimal = store.firmware_failed or len(unfinished) >= _LOOP_BOOTS
    _save(store, copies, _OPEN, crashes, now_s, unfinished)


def finish(store):
    """This boot has proved itself: the loop, if there was one, is broken. Raises StoreError."""
    copies = Copies(store._nvs, "boots", _BOOTS_BYTES)
    load(copies)
    _save(store, copies, 0, 0, 0, [])


def _history(store, data, now_s, is_power_on):
    """Return (begins of the unfinished boots before this one, crashes of minimal mode); sets the number of the last boot."""
    if data is None or len(data) != struct.calcsize(_BOOTS):
        return [], 0
    store.number, flags, crashes, count, begun_s, *unfinished = struct.unpack(_BOOTS, data)
    unfinished = unfinished[:count]
    if flags & _OPEN and (store.intent is None or store.intent.startswith("vital")) and not _is_on_trial():
        unfinished.append(begun_s)
        crashes += 1 if flags & _MINIMAL else 0
    if is_power_on:
        crashes = 0
        shift_s = now_s - max(unfinished + [begun_s])
        unfinished = [at + shift_s for at in unfinished]
    return unfinished, crashes


def _is_on_trial():
    """Return whether a release is on trial: then boot.py counts its crashes, and takes the one before in place of minimal mode."""
    try:
        with open("slot") as file:
            return " " in file.read(32)
    except OSError:
        return False


def _save(store, copies, flags, crashes, begun_s, unfinished):
    flags |= _MINIMAL if store.is_minimal else 0
    count = len(unfinished)
    times = unfinished + [0] * (_LOOP_BOOTS - count)
    copies.save(struct.pack(_BOOTS, store.number, flags, min(crashes, _LOOP_BOOTS), count, begun_s, *times))


def identity(store, names=("device_id", "secret")):
    """Return a dict of these texts; None for one that was never provisioned. Raises StoreError."""
    return {name: _read_text(store._nvs, name) for name in names}


def _read_text(nvs, key):
    code = "read: "
    try:
        data = get_blob(nvs, key, _IDENTITY_BYTES)
        code = "text: "
        return None if data is None else data.decode()
    except (OSError, UnicodeError):
        raise StoreError(code + key) from None


def alive_ms(store):
    """Return the last time kept by `Store.note_alive`, in ms since 1970, or None."""
    try:
        return store._nvs.get_i32("alive_min") * 60000
    except OSError:
        return None
