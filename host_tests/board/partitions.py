"""Partition tables of a virtual board, from CSV files as esp-idf's; the blank image of a flash with such a table.

State: none. Addresses and sizes in bytes. MicroPython adds a partition "vfs" behind the last app when there is none.
"""

import pathlib

from host_tests.port import boot_choice

_HERE = pathlib.Path(__file__).parent
STOCK = _HERE / "partitions-4MiBplus.csv"  # of MicroPython's stock ESP32 image
OTA = _HERE / "partitions-4MiB-ota.csv"  # of its image for upgrades over the air
FLASH_B = 4 << 20
APP, DATA = 0, 1
FACTORY, OTA_DATA, OTA_0 = 0x00, 0x00, 0x10
_FAT = 0x81
_TYPES = {"app": APP, "data": DATA}
_SUBTYPES = {"factory": FACTORY, "ota": OTA_DATA, "phy": 0x01, "nvs": 0x02, "coredump": 0x03, "fat": _FAT, "spiffs": 0x82}
_SUBTYPES["littlefs"] = 0x83
_UNITS = {"K": 1 << 10, "M": 1 << 20}


def load(path, flash_b=FLASH_B):
    """Return the table of a CSV file: [{"label", "type", "subtype", "address", "size"}]."""
    table = []
    for line in pathlib.Path(path).read_text().splitlines():
        fields = [field.strip() for field in line.split(",")]
        if line.strip() and not line.startswith("#"):
            table.append(_partition(fields, table))
    if not any(part["label"] in ("vfs", "ffat") for part in table):
        end = max(part["address"] + part["size"] for part in table if part["type"] == APP)
        table.append({"label": "vfs", "type": DATA, "subtype": _FAT, "address": end, "size": flash_b - end})
    return table


def _partition(fields, before):
    label, kind, subtype, address, size = fields[:5]
    if not address:
        address = str(before[-1]["address"] + before[-1]["size"])
    return {
        "label": label,
        "type": _TYPES[kind] if kind in _TYPES else int(kind, 0),
        "subtype": _subtype(subtype),
        "address": _number(address),
        "size": _number(size),
    }


def _subtype(text):
    if text.startswith("ota_"):
        return OTA_0 + int(text[4:])
    return _SUBTYPES[text] if text in _SUBTYPES else int(text, 0)


def _number(text):
    if text[-1].upper() in _UNITS:
        return int(text[:-1], 0) * _UNITS[text[-1].upper()]
    return int(text, 0)


def blank(table, flash_b=FLASH_B):
    """Return the bytes of a flash with nothing but an app image in the first app's place."""
    flash = bytearray(b"\xff" * flash_b)
    first = next(part for part in table if part["type"] == APP)
    image = boot_choice.app_image(b"MicroPython of the virtual board")
    flash[first["address"] : first["address"] + len(image)] = image
    return flash
