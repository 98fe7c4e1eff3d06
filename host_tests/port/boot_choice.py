"""Which image the ESP32 starts: the `otadata` partition and app images, as esp-idf's bootloader and app_update
(esp_ota_ops.c) treat them with roll-back switched on. Pure; runs under MicroPython and CPython.

Otadata is two sectors of 4 KiB, each with one record at its start: sequence number, 20 bytes of label, state,
CRC-32 of the sequence number. The valid record with the higher number says which slot: (number - 1) % slots.
"""

import binascii
import hashlib
import struct

NEW, PENDING, VALID, INVALID, ABORTED = 0, 1, 2, 3, 4
RECORD_B = 32
SECTOR = 4096
_RECORD = "<I20sII"
_NONE = 0xFFFFFFFF
_HEADER_B = 24
_MAGIC = 0xE9
_HASH_AT = 23  # in the header: 1 when a SHA-256 follows the checksum
_SEGMENTS_MOST = 16
_PIECE = 4096


def record(sequence, state):
    """Return the bytes of a record of otadata."""
    crc = binascii.crc32(struct.pack("<I", sequence), _NONE) & _NONE
    return struct.pack(_RECORD, sequence, b"\xff" * 20, state, crc)


def state_of(data):
    """Return a record's state."""
    return struct.unpack(_RECORD, data)[2]


def sequence_of(data):
    """Return a record's sequence number, 0 when it does not count (blank, refused, torn)."""
    if state_of(data) in (INVALID, ABORTED) or not is_intact(data):
        return 0
    return struct.unpack(_RECORD, data)[0]


def is_intact(data):
    """Return whether a record was ever written, and whole."""
    sequence, _, _, crc = struct.unpack(_RECORD, data)
    return sequence != _NONE and crc == binascii.crc32(data[:4], _NONE) & _NONE


def active(records):
    """Return which of the two records counts, None when neither does."""
    numbers = [sequence_of(data) for data in records]
    if not max(numbers):
        return None
    return numbers.index(max(numbers))


def next_sequence(records, slot, slots):
    """Return the sequence number with which this slot comes to be the chosen one."""
    chosen = active(records)
    number = slot + 1
    if chosen is not None:
        while number < sequence_of(records[chosen]):
            number += slots
    return number


def image_length(read, size):
    """Return the length of a whole app image, 0 when there is none: magic, segments, checksum, SHA-256.

    read(at, count) gives the partition's bytes; size is the partition's.
    """
    header = read(0, _HEADER_B)
    if header[0] != _MAGIC or not 0 < header[1] <= _SEGMENTS_MOST:
        return 0
    at = _HEADER_B
    checksum = 0xEF
    for _ in range(header[1]):
        length = struct.unpack("<I", read(at + 4, 4))[0]
        if at + 8 + length + 16 > size:
            return 0
        if not header[_HASH_AT]:
            checksum = _xor(read, at + 8, length, checksum)
        at += 8 + length
    end = at + 16 - at % 16  # the checksum is the last byte of the padding
    if not header[_HASH_AT]:
        return end if read(end - 1, 1)[0] == checksum else 0
    return end + 32 if end + 32 <= size and _digest(read, end) == bytes(read(end, 32)) else 0


def _xor(read, at, length, checksum):
    for byte in read(at, length):
        checksum ^= byte
    return checksum


def _digest(read, length):
    digest = hashlib.sha256()
    for at in range(0, length, _PIECE):
        digest.update(read(at, min(_PIECE, length - at)))
    return digest.digest()


def app_image(content):
    """Return an app image of one segment with this content, as esptool would write it."""
    content = bytes(content) + b"\0" * (-len(content) % 4)
    checksum = 0xEF
    for byte in content:
        checksum ^= byte
    header = bytes([_MAGIC, 1]) + bytes(21) + b"\1"
    image = header + struct.pack("<II", 0x3F400020, len(content)) + content
    image += bytes(15 - len(image) % 16) + bytes([checksum])
    return image + hashlib.sha256(image).digest()
