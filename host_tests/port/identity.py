"""What a board says of itself: `sys` and `os` as an ESP32's, for tools that ask.

State: none. The texts come from the environment: HANMA_MACHINE ("Generic ESP32 module with ESP32"), HANMA_VERSION ("v1.26.1 on
2025-09-11"), HANMA_BUILD ("ESP32_GENERIC"). Names that only the unix port has are gone.
"""

import sys
from collections import namedtuple

import hanma_port

_MPY_ARCH_XTENSAWIN = 10
_ONLY_UNIX = ("system", "getenv", "putenv", "unsetenv", "VfsPosix", "errno")
_Implementation = namedtuple("implementation", ("name", "version", "_machine", "_mpy", "_build"))
_Uname = namedtuple("uname", ("sysname", "nodename", "release", "version", "machine"))


class _Module:
    """A module with other words in it."""

    def __init__(self, module, left_out=()):
        for name in dir(module):
            if name not in left_out and name != "__class__":
                setattr(self, name, getattr(module, name))


def install(machine):
    """Let `import sys` and `import os` give the board's."""
    version = hanma_port.os.getenv("HANMA_VERSION")
    release = version.split(" ")[0].lstrip("v")
    sys.modules["sys"] = _sys(machine, version, release)
    board_os = sys.modules["os"] = _Module(hanma_port.os, _ONLY_UNIX)
    board_os.uname = lambda: _Uname("esp32", "esp32", release, version, machine)


def _sys(machine, version, release):
    numbers, _, kind = release.partition("-")
    version_info = tuple(int(number) for number in numbers.split(".")) + (kind,)
    mpy = sys.implementation._mpy & 0x3FF | _MPY_ARCH_XTENSAWIN << 10
    board_sys = _Module(sys)
    board_sys.platform = "esp32"
    board_sys.version = "3.4.0; MicroPython " + version
    board_sys.implementation = _Implementation(
        "micropython", version_info, machine, mpy, hanma_port.os.getenv("HANMA_BUILD") or ""
    )
    return board_sys
