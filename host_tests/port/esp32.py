"""The ESP32's `esp32` module on the host: the key-value flash store, partitions and the chip's own temperature.

State: `nvs.json` {namespace: {key: {"i32": n} | {"blob": hex}}} and `temperature` (°C) in the chip's state
directory.
"""

import binascii

import hanma_port

# esp-idf, nvs_flash/include/nvs.h: ESP_ERR_NVS_BASE 0x1100 and what follows it.
_NOT_FOUND = 0x1102
_NOT_ENOUGH_SPACE = 0x1105
_INVALID_NAME = 0x1106
_KEY_TOO_LONG = 0x1109
_INVALID_LENGTH = 0x110C
_VALUE_TOO_LONG = 0x110E
_BLOB_MOST = 4000
_PAGE_B = 4096
_PAGE_ENTRIES = 126  # of 32 bytes; one page is kept free
_STOCK_B = 0x6000  # the stock image's partition


def _fail(code, name):
    raise OSError(-code, "ESP_ERR_NVS_" + name)


def _check_key(key):
    if not key:
        _fail(_INVALID_NAME, "INVALID_NAME")
    if len(key) > 15:
        _fail(_KEY_TOO_LONG, "KEY_TOO_LONG")


def _entries(store):
    """Return how many 32-byte entries a store takes: one a number, two and the data's a blob."""
    total = 0
    for space in store.values():
        for value in space.values():
            total += 1 if "i32" in value else 2 + (len(value["blob"]) // 2 + 31) // 32
    return total


def _entries_most():
    """Return how many entries the partition has room for."""
    sizes = [part["size"] for part in hanma_port.read_json("partitions.json") if part["label"] == "nvs"]
    return ((sizes or [_STOCK_B])[0] // _PAGE_B - 1) * _PAGE_ENTRIES


class NVS:
    """One namespace. Nothing set or erased lasts without commit()."""

    def __init__(self, namespace):
        _check_key(namespace)
        self._namespace = namespace
        self._changes = {}

    def _get(self, key, kind):
        _check_key(key)
        if key in self._changes:
            value = self._changes[key]
        else:
            value = hanma_port.read_json("nvs.json").get(self._namespace, {}).get(key)
        if value is None or kind not in value:
            _fail(_NOT_FOUND, "NOT_FOUND")
        return value[kind]

    def _set(self, key, value):
        _check_key(key)
        self._changes[key] = value

    def set_i32(self, key, value):
        """Set a whole number of 32 bits; OverflowError when it is larger."""
        if not -(1 << 31) <= value < 1 << 31:
            raise OverflowError("value out of range")
        self._set(key, {"i32": value})

    def get_i32(self, key):
        """Return a whole number; OSError(-4354) when there is none."""
        return self._get(key, "i32")

    def set_blob(self, key, value):
        """Set bytes, at most 4000."""
        if len(value) > _BLOB_MOST:
            _fail(_VALUE_TOO_LONG, "VALUE_TOO_LONG")
        self._set(key, {"blob": binascii.hexlify(value).decode()})

    def get_blob(self, key, buffer):
        """Read bytes into buffer, return how many; OSError -4364: it is too small, -4354: there are none."""
        value = binascii.unhexlify(self._get(key, "blob"))
        if len(value) > len(buffer):
            _fail(_INVALID_LENGTH, "INVALID_LENGTH")
        buffer[: len(value)] = value
        return len(value)

    def erase_key(self, key):
        """Erase a key; OSError(-4354) when there is none."""
        _check_key(key)
        stored = key in hanma_port.read_json("nvs.json").get(self._namespace, {})
        if self._changes.get(key, {} if stored else None) is None:
            _fail(_NOT_FOUND, "NOT_FOUND")
        self._changes[key] = None

    def commit(self):
        """Write what was set and erased to flash, one key after the other: a power cut leaves those before it."""
        store = hanma_port.read_json("nvs.json")
        space = store.setdefault(self._namespace, {})
        for key, value in self._changes.items():
            if hanma_port.cuts_now():
                hanma_port.write_json("nvs.json", store)
                hanma_port.lose_power()
            if value is None:
                space.pop(key, None)
            else:
                space[key] = value
        if _entries(store) > _entries_most():
            _fail(_NOT_ENOUGH_SPACE, "NOT_ENOUGH_SPACE")
        hanma_port.write_json("nvs.json", store)
        self._changes = {}


def mcu_temperature():
    """Return the chip's temperature in °C (ESP32-S3)."""
    return int(hanma_port.read_text("temperature") or 40)


def raw_temperature():
    """Return the chip's temperature in °F (ESP32)."""
    return mcu_temperature() * 9 // 5 + 32


def __getattr__(name):
    """Give Partition to who asks for it: it takes the heap of nobody else."""
    if name != "Partition":
        raise AttributeError(name)
    import partition

    return partition.Partition
