"""A made-up MicroPython image, whole by esptool's own checks, with nothing in it that would run. State: none."""

import hashlib
import io
import struct

from esptool.bin_image import ELFSection, ESP32FirmwareImage


def program(text):
    """Return a program of an ESP32 with this text as its data."""
    image = ESP32FirmwareImage()
    image.entrypoint = 0x40080000
    image.segments = [ELFSection(b".dram", 0x3FFB0000, text.ljust(256, b"."), 0)]
    return bytes(image.save(None))


def image(application=None):
    """Return an image as MicroPython's: bootloader, partition table, program; it begins at 0x1000."""
    parts = [(b"nvs", 1, 2, 0x9000, 0x6000), (b"phy_init", 1, 1, 0xF000, 0x1000), (b"factory", 0, 0, 0x10000, 0x1F0000)]
    entries = b"".join(struct.pack("<2sBBII16sI", b"\xaa\x50", kind, sub, at, size, name, 0) for name, kind, sub, at, size in parts)
    table = entries + b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(entries).digest()
    room = io.BytesIO(b"\xff" * 0xF000)
    application = application or program(b"MicroPython v1.26.1 on 2025-09-11")
    for at, data in ((0, program(b"bootloader")), (0x7000, table.ljust(0xC00, b"\xff")), (0xF000, application)):
        room.seek(at)
        room.write(data)
    return room.getvalue()
