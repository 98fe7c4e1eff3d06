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
_TABLE_AT, _SECTOR = 0x8000, 0x1000
_APP_ALIGNMENT = 0x10000
_OTA_DATA_B = 0x2000
_LABEL_MOST = 15  # of 16 bytes, ended by a zero
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


def flaws(table, flash_b):
    """Return what esp-idf's gen_esp32part.py would refuse in a table for a flash of this size, as sentences."""
    found = []
    labels = [part["label"] for part in table]
    ota_data = [part for part in table if (part["type"], part["subtype"]) == (DATA, OTA_DATA)]
    if len(labels) != len(set(labels)) or any(len(label) > _LABEL_MOST for label in labels):
        found.append("labels are not unique, or longer than 15 characters")
    if len(ota_data) > 1 or any(part["size"] != _OTA_DATA_B for part in ota_data):
        found.append("there is more than one otadata, or it has not 0x2000 bytes")
    if any(part["subtype"] & 0xF0 == OTA_0 and part["type"] == APP for part in table) and not ota_data:
        found.append("OTA slots without otadata")
    end = _TABLE_AT + _SECTOR
    for part in sorted(table, key=lambda part: part["address"]):
        if part["address"] % (_APP_ALIGNMENT if part["type"] == APP else _SECTOR) or part["size"] % _SECTOR:
            found.append(f"{part['label']} is not aligned")
        if part["address"] < end:
            found.append(f"{part['label']} overlaps what is before it")
        end = part["address"] + part["size"]
    if end > flash_b:
        found.append(f"it ends at 0x{end:x}, behind the flash")
    return found


def blank(table, flash_b=FLASH_B):
    """Return the bytes of a flash with nothing but an app image in the first app's place."""
    flash = bytearray(b"\xff" * flash_b)
    first = next(part for part in table if part["type"] == APP)
    image = boot_choice.app_image(b"MicroPython of the virtual board")
    flash[first["address"] : first["address"] + len(image)] = image
    return flash
