"""A whole-terminal world whose terminal carries `port_meter.py`: the same staged files, one import put before boot.py."""

import json
import pathlib
import re
import shutil

from host_tests.system.harness import World

_METER = pathlib.Path(__file__).with_name("port_meter.py")
_BLOCK_B = 16  # of the 32-bit port's heap
_LARGEST = re.compile(r"heap where TLS starts:.*?GC: total: (\d+), used: (\d+), free: (\d+).*?max free sz: (\d+)", re.DOTALL)


class MeteredWorld(World):
    """Takes the same arguments as World."""

    def _make_chip(self, authority):
        super()._make_chip(authority)
        shutil.copyfile(_METER, self.flash / "port_meter.py")
        boot = self.flash / "boot.py"
        boot.write_text("import port_meter\n" + boot.read_text())

    def notes(self):
        """Return what the meter has written, oldest first."""
        return [json.loads(line) for line in (self.chip.state / "meter.jsonl").read_text().splitlines()]

    def heaps_at_tls(self):
        """Return [{"total_b", "used_b", "free_b", "block_b"}] where TLS was started, oldest first."""
        names = ("total_b", "used_b", "free_b", "block_b")
        found = [map(int, numbers) for numbers in _LARGEST.findall(self.chip.console_text())]
        heaps = [dict(zip(names, numbers, strict=True)) for numbers in found]
        for heap in heaps:
            heap["block_b"] *= _BLOCK_B
        return heaps
