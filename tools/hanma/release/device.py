"""The terminal's own reader of bundles, firmware/terminal/bundle.py, run here: what it refuses is refused alike on the host.

State: none.
"""

import importlib.util
import sys
import types

from hanma import stage


def _load():
    """Return the firmware's module; what it takes from MicroPython's own module is here while it loads."""
    spec = importlib.util.spec_from_file_location("hanma.release.device_bundle", stage.FIRMWARE / "terminal" / "bundle.py")
    module = importlib.util.module_from_spec(spec)
    earlier = sys.modules.get("micropython")
    stands_in = types.ModuleType("micropython")
    stands_in.const = lambda value: value
    sys.modules["micropython"] = stands_in
    try:
        spec.loader.exec_module(module)
    finally:
        if earlier is None:
            del sys.modules["micropython"]
        else:
            sys.modules["micropython"] = earlier
    return module


bundle = _load()
