"""What is loaded before the chip's program: nothing of ours. It tells what MicroPython takes without the stand-ins.

Run by `chip.py` with the flash directory as cwd. `power_on` goes on from here; what is in this file counts as MicroPython's.
"""

import gc
import sys

sys.path[:], _HERE = [".frozen"], __file__.rpartition("/")[0]

# The image has these too. They are loaded once more below, for then they import the stand-ins.
import asyncio  # noqa: E402, F401
import binascii  # noqa: E402, F401
import json  # noqa: E402, F401

gc.collect()
_BARE = gc.mem_alloc()
del asyncio, sys.modules["asyncio"], sys.modules["asyncio.core"]
sys.path[:] = ["", _HERE, ".frozen", "lib"]

import power_on  # noqa: E402

power_on.begin(_BARE)
