"""The power goes at each write while an image is chosen, marked valid or written: what the bootloader starts is whole, always."""

import json

import pytest

from hanma import toolchain
from host_tests.board import bootloader, partitions
from host_tests.port import boot_choice
from host_tests.port.boot_choice import NEW, PENDING, VALID
from host_tests.unit import port_script

_CUT = """
import hanma_port
hanma_port.lose_power = lambda: sys.exit(0)
from esp32 import Partition
print("true")
"""
_ACTIONS = {
    "set_boot": "Partition('ota_1').set_boot()",
    "valid": "Partition.mark_app_valid_cancel_rollback()",
    "write": "Partition('ota_1').ioctl(6, 0); Partition('ota_1').writeblocks(0, b'half of another', 0)",
}
_WRITES = {"set_boot": 2, "valid": 2, "write": 2}


@pytest.fixture
def chip(tmp_path):
    """A chip's state directory with two whole images."""
    table = partitions.load(partitions.OTA)
    image = partitions.blank(table)
    other = next(part["address"] for part in table if part["label"] == "ota_1")
    data = boot_choice.app_image(b"the other")
    image[other : other + len(data)] = data
    (tmp_path / "flash.img").write_bytes(image)
    (tmp_path / "partitions.json").write_text(json.dumps(table))
    return _Chip(tmp_path, table)


class _Chip:
    def __init__(self, directory, table):
        self._directory, self._table = directory, table

    def boot(self):
        """Return the label that the bootloader starts."""
        return bootloader.choose(self._directory / "flash.img", self._table)

    def do(self, action, running, cut=0):
        """Carry out an action of the image that runs; the power goes in the so many-th write. Return the writes left to that."""
        (self._directory / "flash_cut").write_text(str(cut or 1000))
        port_script.run(str(toolchain.micropython()), self._directory, _CUT + _ACTIONS[action], HANMA_RUNNING=running)
        return int((self._directory / "flash_cut").read_text())

    def records(self, *records):
        """Write (sequence, state) into otadata."""
        at = next(part["address"] for part in self._table if part["label"] == "otadata")
        with open(self._directory / "flash.img", "r+b") as flash:
            for number, record in enumerate(records):
                flash.seek(at + number * boot_choice.SECTOR)
                flash.write(boot_choice.record(*record))


@pytest.mark.parametrize("cut", [1, 2])
@pytest.mark.parametrize("before", [[], [(1, VALID)], [(3, VALID), (2, VALID)]])
def test_an_image_that_is_chosen_is_started_or_the_one_before_and_can_be_chosen_again(chip, before, cut):
    chip.records(*before)
    assert chip.boot() == "ota_0"
    chip.do("set_boot", "ota_0", cut)
    assert chip.boot() == "ota_0"
    assert chip.do("set_boot", "ota_0") == 1000 - _WRITES["set_boot"]
    assert chip.boot() == "ota_1"
    assert chip.boot() == "ota_0"  # nobody marked it valid


@pytest.mark.parametrize("cut", [1, 2])
def test_an_image_that_is_marked_valid_stays_or_goes_back_and_can_be_tried_again(chip, cut):
    chip.records((1, VALID), (2, PENDING))
    chip.do("valid", "ota_1", cut)
    assert chip.boot() == "ota_0"
    chip.do("set_boot", "ota_0")
    assert chip.boot() == "ota_1"
    assert chip.do("valid", "ota_1") == 1000 - _WRITES["valid"]
    assert [chip.boot() for _ in range(3)] == ["ota_1"] * 3


@pytest.mark.parametrize("cut", [1, 2, 0])
@pytest.mark.parametrize("state", [VALID, NEW])
def test_half_an_image_is_never_started_even_when_it_is_chosen(chip, cut, state):
    chip.records((1, VALID), (2, state))
    chip.do("write", "ota_0", cut)
    assert [chip.boot() for _ in range(2)] == ["ota_0"] * 2
