"""A board whose flash and NVS can be cut, with the terminal's own boot.py and upgrade on it, from power-on to power-on.

For MicroPython. What runs is what boot.py executes; what a slot holds is hashed here and held against the known trees; what was
served and how often the trial crashed is counted here. The terminal's own words count for nothing but the reasons it reports.
A stand-in of the release is its main.py, which says that it ran, or crashes. Times are seconds.
"""

import gc
import hashlib
import os
import sys

import vfs

from host_tests.faults.flash import AFTER, Flash, PowerCut

ROOT = "/upgrade_board"
BLOCKS = 112  # the reserve that an upgrade leaves is 48 of them
URL = "https://release.example/bundle"
TOKEN = "token-of-this-order"
BEGAN_S = 1_800_000_000
_HARD, _POWER_ON = 2, 1
_ROUNDS = 900  # looks at the upgrade, over all boots
_BOOTS = 14  # those that it may take
_CRASHES = 5  # of a release on trial: three, and those that a power cut hid
_TRIAL_S = 60
_ABSENT = -4354


class Reset(BaseException):
    """The terminal wants to start again."""


class Nvs:
    """NVS as esp32.NVS shows it; each value is written at once, and is one more write of the flash that can be cut."""

    def __init__(self, flash, values):
        self._flash = flash
        self.values = values

    def _get(self, key):
        if key not in self.values:
            raise OSError(_ABSENT)
        return self.values[key]

    get_i32 = _get

    def get_blob(self, key, buffer):
        """As esp32.NVS.get_blob."""
        value = self._get(key)
        buffer[: len(value)] = value
        return len(value)

    def set_i32(self, key, value):
        """As esp32.NVS.set_i32; an entry is there or not."""
        self._change(key, value)

    set_blob = set_i32

    def erase_key(self, key):
        """As esp32.NVS.erase_key."""
        self._get(key)
        self._change(key, None)

    def _change(self, key, value):
        flash = self._flash
        if flash.dead:
            raise PowerCut
        flash.writes += 1
        cut = flash._cut
        is_cut = cut is not None and cut[0] == flash.writes
        if not is_cut or cut[1] == AFTER:
            self.values.pop(key, None)
            if value is not None:
                self.values[key] = value
        if is_cut:
            flash.dead = True
            raise PowerCut

    def commit(self):
        """Everything is there already."""


class _Machine:
    PWRON_RESET = _POWER_ON
    cause = _POWER_ON

    def reset_cause(self):
        return self.cause

    def reset(self):
        raise Reset


class _Esp32:
    nvs = None

    def NVS(self, namespace):  # noqa: N802 - its name on the chip
        return self.nvs


class _Ran:
    """What main.py tells: the release that runs."""

    release = None

    def begin(self):
        """In place of `terminal.start`."""


_machine, _esp32, _ran = _Machine(), _Esp32(), _Ran()
sys.modules["machine"], sys.modules["esp32"], sys.modules["hanma_ran"] = _machine, _esp32, _ran

from terminal import config, download, fetch, http, order, slots, upgrade  # noqa: E402 - after the chip's modules

_ROOMS = {"config": config, "download": download, "http": http, "slots": slots}
_BOOT = download.__file__.replace("terminal/download.py", "boot.py")


def _borrow(name):
    """Stand in for `terminal.borrow.borrow`: nothing is imported anew."""
    return _ran if name == "start" else _ROOMS[name]


class _Borrow:
    """`terminal.borrow`; an attribute of its own, for some MicroPythons import no method."""

    def __init__(self):
        self.borrow = _borrow


class _NoWait:
    async def sleep_ms(self, ms):
        return None


upgrade.borrow = order.borrow = _borrow
download.asyncio = _NoWait()


class Clock:
    """Seconds since 1970, moved by hand; also the ticks of `fetch`."""

    def __init__(self, now_s=BEGAN_S):
        self.now_s = now_s

    def unix_s(self):
        """As terminal.clock."""
        return int(self.now_s)

    def pass_s(self, seconds):
        """Let time go by."""
        self.now_s += seconds

    def ticks_ms(self):
        """As time.ticks_ms."""
        return int((self.now_s - BEGAN_S) * 1000)

    def ticks_add(self, a, b):
        """As time.ticks_add."""
        return a + b

    def ticks_diff(self, a, b):
        """As time.ticks_diff."""
        return a - b


class _Parts:
    def __init__(self, board):
        self.store, self.clock, self.guard = self, board.clock, self
        self.interlock = self.relay = self
        self.state, self.powered = "LOCKED", False
        self.board = {"name": "unix"}
        self.config = config.load()[0]
        self._nvs = board.nvs

    def mark_intent(self, why):
        """As store.mark_intent."""


class _Herald:
    """What a round sees of the terminal: herald, link, desk, modem."""

    device_id = "0001"
    session = cause = None

    def __init__(self, board):
        self._board = board
        self.parts = _Parts(board)
        self.link = self.desk = self
        self.modem = board.server
        self.began = -1000000
        if board.server.lost:
            self.cause = "no_data_call"

    def log(self, text):
        """Console."""

    def moment(self):
        """As desk.moment."""
        return 1000 * self._board.clock.unix_s(), 1, 0

    def report(self, content):
        """What the platform hears."""
        self._board.told.append(content["upgrade"])

    async def leave(self, why):
        """As link.leave."""


class Board:
    """The board with its flash. trees: {release: {name: bytes}}; allowed: the releases that may run.

    image, values: of flash and NVS, before. findings: [(name, text)]. told: what the platform heard. ran: releases by boot.
    """

    def __init__(self, image, values, trees, allowed, server, clock):
        self.flash = Flash(image=image)
        self.values = dict(values)
        self.trees, self.allowed = trees, allowed
        self.server, self.clock = server, clock
        self.findings, self.told, self.ran = [], [], []
        self.served_s = self.crashes = 0
        self.is_powered_on = True

    def live(self, by="order"):
        """Power on, and live until the order has come to its end or the power goes; returns whether it came to its end."""
        self._mount()
        try:
            return self._boots(by)
        except PowerCut:
            return False
        except Exception as error:
            if not self.flash.dead:
                self.find("broke_down", repr(error))
            return False
        finally:
            os.chdir("/")
            vfs.umount(ROOT)

    def power_on_again(self):
        """The power is back: the same bytes, a flash that lives."""
        self.flash = Flash(image=self.flash.image)

    def find(self, name, text):
        """Note a finding."""
        self.findings.append((name, text))

    def kept(self):
        """Return all that outlives the power, to be compared."""
        return bytes(self.flash.image), tuple(sorted(self.values.items()))

    def _mount(self):
        vfs.mount(vfs.VfsLfs2(self.flash, mtime=False), ROOT)
        os.chdir(ROOT)
        self.nvs = _esp32.nvs = Nvs(self.flash, self.values)
        fetch.time = upgrade.time = self.clock
        fetch.borrow = lambda name: self.server

    def _boots(self, by):
        _machine.cause = _POWER_ON
        self._rounds = _ROUNDS
        for _ in range(_BOOTS):
            slot = self._boot()
            if _ran.release is None:
                _machine.cause = _HARD
                continue
            try:
                return self._serve(by)
            except Reset:
                _machine.cause = _HARD
        self.find("trial" if self.crashes > _CRASHES else "stuck", "%d boots, at last from %r" % (_BOOTS, slot))
        return False

    def _boot(self):
        """Start as the chip does, and look at what runs; returns its slot."""
        _ran.release = None
        kept, path = sys.modules["terminal.borrow"], sys.path[:]
        sys.modules["terminal.borrow"] = _Borrow()
        try:
            with open(_BOOT) as file:
                exec(file.read(), {"execfile": execfile})  # noqa: F821 - a builtin of MicroPython
            slot = sys.path[-1].split("/")[0] if sys.path[-1] != path[-1] else "."
            if self.flash.dead:
                raise PowerCut
            if slot == ".":
                self._main()
        finally:
            gc.threshold(-1)
            sys.modules["terminal.borrow"] = kept
            sys.path[:] = path
        self._judge(slot)
        return slot

    def _main(self):
        try:
            execfile("main.py")  # noqa: F821 - a builtin of MicroPython
        except Exception as error:
            self.find("broke_down", "the root's main.py: %r" % error)

    def _judge(self, slot):
        """What runs is one of the known trees, whole."""
        held = read_slot(slot)
        release = [name for name in self.trees if held == digests(self.trees[name])]
        self.ran += release
        if not release or release[0] not in self.allowed:
            self.find("not_whole", "slot %r runs %s" % (slot, release or sorted(held)))
            return
        if _ran.release not in (None, release[0]):
            self.find("not_whole", "main.py of %r runs in %r" % (_ran.release, release[0]))
        if release[0] != self.allowed[0]:
            with open("slot") as file:
                is_trial = " " in file.read()
            if not is_trial and self.served_s < _TRIAL_S:
                self.find("untried", "it counts as confirmed after %d s" % self.served_s)
            self.crashes += _ran.release is None
            if self.crashes == _CRASHES + 1:
                self.find("trial", "it has crashed %d times on trial" % self.crashes)

    def _serve(self, by):
        """Run the terminal until it has nothing more to do with the order."""
        self._order(by)
        waited_s = 30
        while self._rounds:
            self._rounds -= 1
            if _ran.release != self.allowed[0]:
                self.served_s += waited_s
            herald = _Herald(self)
            waited_s = _driven(upgrade.Round(herald, waited_s).run())
            self.clock.pass_s(waited_s)
            if herald.cause:
                self.server.lost = False  # the bearer is back a minute later
            state = slots.load_state()
            if not state.get("phase") and not slots.running()[1]:
                return True
        self.find("stuck", "after %d rounds: %s" % (_ROUNDS, slots.load_state()))
        return False

    def _order(self, by):
        """The platform orders until it has heard how it ended."""
        state = slots.load_state()
        if not state.get("phase") and slots.running()[1] is None and not self.has_ended():
            order.begin(_Herald(self), by, URL, TOKEN)

    def has_ended(self):
        """Return the last word that the platform has heard of the order when it is over."""
        words = [told for told in self.told if told["state"] in ("confirmed", "refused", "failed", "rolled_back")]
        return words[-1] if words else None


def _driven(routine):
    """Run a coroutine in which nothing waits; return its value."""
    try:
        routine.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("it waits for something that never comes")


def digests(tree):
    """Return {name: SHA-256} of {name: bytes}."""
    return {name: hashlib.sha256(tree[name]).digest() for name in tree}


def read_slot(slot):
    """Return {name: SHA-256} of a slot's files; of the root, what a release has."""
    found = {}
    waiting = ["main.py", "lib"] if slot == "." else [entry[0] for entry in os.ilistdir(slot) if entry[0] != "bundle"]
    while waiting:
        name = waiting.pop()
        path = slot + "/" + name
        if os.stat(path)[0] & 0x4000:
            inside = [name + "/" + entry[0] for entry in os.ilistdir(path)]
            waiting += inside
            if not inside:
                found[name] = b"an empty directory"
        else:
            with open(path, "rb") as file:
                found[name] = hashlib.sha256(file.read()).digest()
    return found


def image_of(files, blocks=BLOCKS):
    """Return the image of a flash with these files, {path: bytes}."""
    flash = Flash(blocks)
    vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash, mtime=False), ROOT)
    try:
        for path in sorted(files):
            parts = path.split("/")
            for count in range(1, len(parts)):
                slots.make(ROOT + "/" + "/".join(parts[:count]))
            with open(ROOT + "/" + path, "wb") as file:
                file.write(files[path])
    finally:
        vfs.umount(ROOT)
    return bytes(flash.image)
