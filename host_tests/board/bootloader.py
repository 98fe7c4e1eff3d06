"""The ESP32's second-stage bootloader as far as it chooses an image: otadata, trial and roll-back, images that are not whole.

As esp-idf's bootloader_utility.c with CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE, which MicroPython's images have. State: none; it
reads and writes the file of the flash.
"""

from host_tests.board.partitions import APP, DATA, FACTORY, OTA_0, OTA_DATA
from host_tests.port import boot_choice
from host_tests.port.boot_choice import ABORTED, NEW, PENDING, SECTOR, VALID

_FACTORY_INDEX = -1


def choose(path, table):
    """Return the label of the partition that is started, None where no image is whole; otadata is changed as on the chip."""
    slots = [part for part in table if part["type"] == APP and part["subtype"] & 0xF0 == OTA_0]
    factory = next((part for part in table if part["type"] == APP and part["subtype"] == FACTORY), None)
    otadata = next((part for part in table if part["type"] == DATA and part["subtype"] == OTA_DATA), None)
    with open(path, "r+b") as flash:
        records = _Records(flash, otadata) if otadata and slots else None
        start = _selected(records, len(slots), factory) if records else _FACTORY_INDEX
        for index in [*range(start, _FACTORY_INDEX - 1, -1), *range(start + 1, len(slots))]:
            part = factory if index == _FACTORY_INDEX else slots[index]
            if part and _is_whole(flash, part):
                if records and index != _FACTORY_INDEX and records.are_initial():
                    records.put(0, index + 1, VALID)
                return part["label"]
    return None


class _Records:
    """The two records of otadata on the flash."""

    def __init__(self, flash, part):
        self._flash, self._address = flash, part["address"]

    def read(self):
        return [self._sector(0)[: boot_choice.RECORD_B], self._sector(1)[: boot_choice.RECORD_B]]

    def _sector(self, number):
        self._flash.seek(self._address + number * SECTOR)
        return self._flash.read(SECTOR)

    def put(self, number, sequence, state):
        data = boot_choice.record(sequence, state)
        self._flash.seek(self._address + number * SECTOR)
        self._flash.write(data + b"\xff" * (SECTOR - len(data)))

    def are_initial(self):
        """Whether neither was ever written, or neither whole."""
        return not any(boot_choice.is_intact(data) for data in self.read())


def _selected(records, slots, factory):
    """Return the index of the slot that otadata names, on trial from now on when it is new."""
    if boot_choice.active(records.read()) is None and not any(map(_is_on_trial, records.read())):
        return _FACTORY_INDEX if factory else 0
    for number, data in enumerate(records.read()):
        if _is_on_trial(data):
            records.put(number, boot_choice.sequence_of(data), ABORTED)
    found = records.read()
    chosen = boot_choice.active(found)
    if chosen is None:
        return _FACTORY_INDEX
    sequence = boot_choice.sequence_of(found[chosen])
    if boot_choice.state_of(found[chosen]) == NEW:
        records.put(chosen, sequence, PENDING)
    return (sequence - 1) % slots


def _is_on_trial(data):
    return boot_choice.is_intact(data) and boot_choice.state_of(data) == PENDING


def _is_whole(flash, part):
    def read(at, count):
        flash.seek(part["address"] + at)
        return flash.read(count)

    return bool(boot_choice.image_length(read, part["size"]))
