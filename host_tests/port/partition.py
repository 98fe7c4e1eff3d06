"""The chip's flash as one file, and `esp32.Partition` on it. Imported by `esp32.py` and `flash_image.py`.

State: the file `flash.img` in the chip's state directory and its table `partitions.json` ([{"label", "type", "subtype",
"address", "size"}], sizes in bytes; without one the whole file is the file system). Where there is no image, the terminal's
files lie in a directory of the host. Erased blocks are 0xff, programming clears bits; at the cut (`hanma_port.cuts_now`) half of
that write is done.
"""

import boot_choice
import hanma_port

BLOCK = 4096
_ENOENT = 2
_EINVAL = 22
_BLOCKS, _BLOCK_SIZE, _ERASE = 4, 5, 6  # ioctl's requests
_ANY = 0xFF
_OTA_0, _FACTORY, _OTA_DATA, _FAT = 0x10, 0x00, 0x00, 0x81
# esp-idf, esp_err.h and esp_ota_ops.h
_FAIL = (-1, "ESP_FAIL")
_INVALID_ARG = (0x102, "ESP_ERR_INVALID_ARG")
_INVALID_SIZE = (0x104, "ESP_ERR_INVALID_SIZE")
_NOT_FOUND = (0x105, "ESP_ERR_NOT_FOUND")
_VALIDATE_FAILED = (0x1503, "ESP_ERR_OTA_VALIDATE_FAILED")

_file = None
_table = None


def _open():
    global _file
    if _file is None:
        _file = hanma_port.open_host(hanma_port.STATE + "/flash.img", "r+b")
    return _file


def table():
    """Return the partitions, [] when there is no image."""
    global _table
    if _table is None:
        _table = hanma_port.read_json("partitions.json") or []
        if not _table and hanma_port.has("flash.img"):
            _table = [{"label": "vfs", "type": 1, "subtype": _FAT, "address": 0, "size": _open().seek(0, 2)}]
    return _table


def _fail(error):
    raise OSError(-error[0], error[1])


def _write(at, data):
    cut = hanma_port.cuts_now()
    file = _open()
    file.seek(at)
    file.write(data[: len(data) // 2] if cut else data)
    if cut:
        hanma_port.lose_power()


def _running():
    """Return the partition that the bootloader chose; the first app where nobody chose."""
    label = hanma_port.os.getenv("HANMA_RUNNING")
    apps = [part for part in table() if part["type"] == Partition.TYPE_APP]
    return [part for part in apps if label in (None, part["label"])][0]


def _slots():
    return [part for part in table() if part["type"] == 0 and part["subtype"] & 0xF0 == _OTA_0]


class Partition:
    """esp32.Partition: a block device on its part of the flash."""

    BOOT = 0
    RUNNING = 1
    TYPE_APP = 0
    TYPE_DATA = 1

    def __init__(self, id, block_size=BLOCK):
        if id == self.RUNNING:
            found = [_running()] if table() else []
        elif id == self.BOOT:
            found = [_boot_choice()]
        else:
            found = [part for part in table() if part["label"] == id]
        if not found:
            raise OSError(_ENOENT)
        self._part = found[0]
        self._address, self._size = self._part["address"], self._part["size"]
        self._file = _open()
        self._block = block_size

    def __repr__(self):
        words = "<Partition type=%u, subtype=%u, address=%u, size=%u, label=%s, encrypted=%u>"
        return words % self.info()

    @staticmethod
    def find(type=TYPE_APP, subtype=_ANY, label=None, block_size=BLOCK):
        """Return the partitions that fit, in the table's order."""
        return [
            Partition(part["label"], block_size)
            for part in table()
            if part["type"] == type and subtype in (_ANY, part["subtype"]) and label in (None, part["label"])
        ]

    def info(self):
        """Return (type, subtype, address, size, label, encrypted)."""
        part = self._part
        return (part["type"], part["subtype"], part["address"], part["size"], part["label"], False)

    def readblocks(self, block, buffer, offset=0):
        """Read into buffer. A full file system calls this thousands of times for one write: nothing here but the reading."""
        start = block * self._block + offset
        if start + len(buffer) > self._size:
            self._refuse(start)
        self._file.seek(self._address + start)
        self._file.readinto(buffer)

    def _at(self, block, count, offset):
        """Return where on the flash; OSError when it is not within the partition."""
        start = block * self._block + offset
        if start + count > self._size:
            self._refuse(start)
        return self._address + start

    def _refuse(self, start):
        _fail(_INVALID_ARG if start > self._size else _INVALID_SIZE)

    def writeblocks(self, block, buffer, offset=None):
        """Write: without an offset the blocks are erased first."""
        at = self._at(block, len(buffer), offset or 0)
        self._keep_off_the_running_image()
        if offset is None:
            self._erase_and_write(at, buffer)
        else:
            self._program(at, buffer)

    def _program(self, at, buffer):
        file = self._file
        file.seek(at)
        old = int.from_bytes(file.read(len(buffer)), "little")
        _write(at, (old & int.from_bytes(buffer, "little")).to_bytes(len(buffer), "little"))

    def _erase_and_write(self, at, buffer):
        """Erase what buffer touches, whole blocks; what shares a block with it is written back."""
        if self._block >= BLOCK:
            if len(buffer) % BLOCK:
                _fail(_INVALID_SIZE)
            kept = bytes(buffer)
        else:
            before = at % BLOCK
            at -= before
            file = self._file
            file.seek(at)
            kept = bytearray(file.read((before + len(buffer) + BLOCK - 1) // BLOCK * BLOCK))
            kept[before : before + len(buffer)] = buffer
        for start in range(0, len(kept), BLOCK):
            _write(at + start, b"\xff" * BLOCK)
        _write(at, kept)

    def _keep_off_the_running_image(self):
        """A write into the code that runs is a panic."""
        if self._part["type"] == self.TYPE_APP and self._part == _running():
            hanma_port.stop("reset hard")

    def ioctl(self, request, argument):
        """Answer a file system: block count, block size, erase."""
        if request == _BLOCKS:
            return self._part["size"] // self._block
        if request == _BLOCK_SIZE:
            return self._block
        if request == _ERASE:
            if self._block != BLOCK:
                return -_EINVAL
            at = self._at(argument, BLOCK, 0)
            self._keep_off_the_running_image()
            _write(at, b"\xff" * BLOCK)
        return 0

    def set_boot(self):
        """Choose this image for the next reset, on trial; OSError(-5379) when it is no whole image."""
        if not boot_choice.image_length(self._read, self._part["size"]):
            _fail(_VALIDATE_FAILED)
        if self._part["type"] != self.TYPE_APP:
            _fail(_INVALID_ARG)
        data = _otadata()
        if self._part["subtype"] == _FACTORY:
            for sector in (0, 1):
                data.ioctl(_ERASE, sector)
            return
        records = _records(data)
        slots = _slots()
        sequence = boot_choice.next_sequence(records, slots.index(self._part), len(slots))
        sector = 0 if boot_choice.active(records) is None else 1 - boot_choice.active(records)
        _put_record(data, sector, boot_choice.record(sequence, boot_choice.NEW))

    def _read(self, at, count):
        buffer = bytearray(count)
        self.readblocks(0, buffer, at)
        return buffer

    def get_next_update(self):
        """Return the slot after the one that runs; OSError(2) where there is none."""
        slots, running = _slots(), _running()
        if not slots:
            raise OSError(_ENOENT)
        after = slots.index(running) + 1 if running in slots else 0
        return Partition(slots[after % len(slots)]["label"])

    @classmethod
    def mark_app_valid_cancel_rollback(cls):
        """End the trial of the image that runs."""
        data = _otadata()
        records = _records(data)
        chosen = boot_choice.active(records)
        if chosen is None:
            _fail(_FAIL)
        if boot_choice.state_of(records[chosen]) != boot_choice.VALID:
            sequence = boot_choice.sequence_of(records[chosen])
            _put_record(data, chosen, boot_choice.record(sequence, boot_choice.VALID))


def _otadata():
    for part in table():
        if part["type"] == Partition.TYPE_DATA and part["subtype"] == _OTA_DATA:
            return Partition(part["label"])
    return _fail(_NOT_FOUND)


def _records(data):
    return [bytes(data._read(sector * BLOCK, boot_choice.RECORD_B)) for sector in (0, 1)]


def _put_record(data, sector, record):
    data.ioctl(_ERASE, sector)
    data.writeblocks(sector, record, 0)


def _boot_choice():
    """Return the partition that otadata names; without a valid record the factory's, or the first slot."""
    slots = _slots()
    if slots:
        records = _records(_otadata())
        chosen = boot_choice.active(records)
        if chosen is not None:
            return slots[(boot_choice.sequence_of(records[chosen]) - 1) % len(slots)]
    factory = [part for part in table() if part["type"] == 0 and part["subtype"] == _FACTORY]
    return (factory + slots)[0]
