"""Boots from records that anybody may have written: RTC memory, the kept record's copies, the boot counter's, the intent.

case: {"rtc": hex, "nvs": {key: hex}, "now_s": RTC's seconds, "power_on": bool}. Bytes are used as they are; a "seal:" in front
of the hex text has their CRC-32 put behind them, as the firmware does.
"""

from binascii import unhexlify

from terminal import boots
from terminal.interlock import Interlock
from terminal.records import seal
from terminal.store import Store, StoreError


class _Nvs:
    def __init__(self, blobs):
        self.blobs = blobs

    def get_blob(self, key, room):
        if key not in self.blobs:
            raise OSError(-4354)
        data = self.blobs[key]
        if len(data) > len(room):
            raise OSError(-4364)
        room[: len(data)] = data
        return len(data)

    def set_blob(self, key, data):
        self.blobs[key] = bytes(data)

    def get_i32(self, _key):
        raise OSError(-4354)

    def commit(self):
        pass


class _Rtc:
    def __init__(self, data):
        self.data = data

    def memory(self, data=None):
        if data is None:
            return self.data
        self.data = bytes(data)
        return None


def _bytes(text):
    return seal(unhexlify(text[5:])) if text.startswith("seal:") else unhexlify(text)


def run(case):
    """Return what the boot made of it; raises what a boot would die of."""
    nvs = _Nvs({key: _bytes(text) for key, text in case["nvs"].items()})
    store = Store(nvs, _Rtc(_bytes(case["rtc"])), lambda: case["now_s"])
    volatile, elapsed_s = boots.load_volatile(store)
    problems = []
    kept = None
    try:
        kept = boots.load(store.kept)
    except StoreError as error:
        problems.append(str(error))
    try:
        boots.begin(store, case["power_on"])
    except StoreError as error:
        problems.append(str(error))
    lock = Interlock({}, None)
    effects = lock.boot(10, kept, volatile, elapsed_s, store.firmware_failed)
    store.save_volatile(lock.volatile(10))
    store.kept.save(lock.kept())
    return {
        "effects": [list(effect) for effect in effects],
        "state": lock.state,
        "job": lock.job,
        "number": store.number,
        "minimal": store.is_minimal,
        "problems": problems,
        "intent": store.intent,
    }
