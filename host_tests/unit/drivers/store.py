"""Runs a history against the store on devices that can fail, be cut off at a write, and lose their power.

case: list of steps [name, args...]. The store's own methods, and what a boot does with it, are called by name (bytes as hex
text); the others are the world: "wait" s · "set_clock" s (by the store) · "reset" · "power_cut" · "cut" what
(the next write to NVS ends the power and leaves "old", "new", "gone" or a count of bytes) · "fail"
device-call (the next such call raises) · "forget" (writes vanish silently) · "damage" key, at, value ·
"damage_rtc" at, value · "provision" key, hex.
"""

from terminal import boots
from terminal.store import Store, StoreError

_OF_BOOTS = {
    "load_volatile": "load_volatile",
    "begin_boot": "begin",
    "finish_boot": "finish",
    "identity": "identity",
    "alive_ms": "alive_ms",
}


class PowerCut(Exception):
    """The power went while flash was written."""


class Nvs:
    """esp32.NVS as far as it is used."""

    def __init__(self):
        self.blobs = {}
        self.writes = 0  # of the kept record, since the boot
        self.numbers = {}
        self.pending = None  # a number that is set but not committed
        self.cut = None
        self.failing = None
        self.forgets = False

    def get_blob(self, key, room):
        self._check("get")
        if key not in self.blobs:
            raise OSError(-4354, "ESP_ERR_NVS_NOT_FOUND")
        data = self.blobs[key]
        if len(data) > len(room):
            raise OSError(-4364, "ESP_ERR_NVS_INVALID_LENGTH")
        room[: len(data)] = data
        return len(data)

    def set_blob(self, key, data):
        self._check("set")
        if self.cut is not None:
            self._cut(key, bytes(data))
        self.writes += key.startswith("kept")
        if not self.forgets:
            self.blobs[key] = bytes(data)

    def set_i32(self, key, value):
        self._check("set")
        self.pending = (key, value)

    def get_i32(self, key):
        self._check("get")
        if key not in self.numbers:
            raise OSError(-4354, "ESP_ERR_NVS_NOT_FOUND")
        return self.numbers[key]

    def commit(self):
        self._check("commit")
        if self.pending:
            self.numbers[self.pending[0]] = self.pending[1]
            self.pending = None

    def _cut(self, key, data):
        cut, self.cut = self.cut, None
        if cut == "gone":
            self.blobs.pop(key, None)
        elif cut != "old":
            self.blobs[key] = data if cut == "new" else data[:cut]
        raise PowerCut

    def _check(self, call):
        if self.failing == call:
            self.failing = None
            raise OSError(-4353, "ESP_ERR_NVS_NOT_INITIALIZED")


class Rtc:
    """machine.RTC as far as it is used, and its time."""

    def __init__(self):
        self.power_cut()

    def power_cut(self):
        self.data = b""
        self.now_s = 2

    def datetime(self, now_s):
        self.now_s = now_s

    def memory(self, data=None):
        if data is None:
            return self.data
        self.data = bytes(data)
        return None


class World:
    """The devices, and the store of the boot that runs."""

    def __init__(self):
        self.nvs = Nvs()
        self.rtc = Rtc()
        self.reset()

    def reset(self):
        self.nvs.writes = 0
        self.store = Store(self.nvs, self.rtc, lambda: self.rtc.now_s)

    def power_cut(self):
        self.rtc.power_cut()
        self.reset()

    def wait(self, seconds):
        self.rtc.now_s += seconds

    def set_clock(self, now_s):
        self.store.set_clock(now_s)

    def cut(self, what):
        self.nvs.cut = what

    def fail(self, call):
        self.nvs.failing = call

    def forget(self):
        self.nvs.forgets = True

    def damage(self, key, at, value):
        data = bytearray(self.nvs.blobs[key])
        data[at % len(data)] ^= value
        self.nvs.blobs[key] = bytes(data)

    def damage_rtc(self, at, value):
        data = bytearray(self.rtc.data)
        data[at % len(data)] ^= value
        self.rtc.data = bytes(data)

    def provision(self, key, data):
        self.nvs.blobs[key] = bytes.fromhex(data)

    def keys(self):
        return sorted(self.nvs.blobs)

    def boots(self):
        return [self.store.number, self.store.is_minimal, self.store.firmware_failed]

    def look(self):
        return [self.store.intent, self.store.kept.broken, self.nvs.writes]


def run(case):
    """Return what each step gave: its value, {"error": code} or "cut" (and the power is back, RTC memory lost)."""
    world = World()
    return [_step(world, step[0], step[1:]) for step in case]


def _step(world, name, args):
    try:
        if hasattr(world, name):
            return getattr(world, name)(*args)
        return _plain(_call(world.store, name, args))
    except StoreError as error:
        return {"error": error.args[0].split(":")[0]}
    except PowerCut:
        world.power_cut()
        return "cut"


def _call(store, name, args):
    if name in ("save_kept", "save_volatile"):
        save = store.kept.save if name == "save_kept" else store.save_volatile
        return save(bytes.fromhex(args[0]))
    if name == "load_kept":
        return boots.load(store.kept)
    if name in _OF_BOOTS:
        return getattr(boots, _OF_BOOTS[name])(store, *args)
    return getattr(store, name)(*args)


def _plain(value):
    if isinstance(value, bytes):
        return value.hex()
    return [_plain(part) for part in value] if isinstance(value, tuple) else value
