"""Cuts the power at every write to NVS in a life of boots and orders: bans, repeats, boot numbers and the pin. For MicroPython.

The terminal's own boot and guard run on the port's stand-ins, each boot with freshly imported modules. Truth is what the pin
showed and which answers were given. A write to NVS is cut before, after, or torn: the old copy, the new one, none, a
piece, rubbish.
"""

import sys

import esp32
import hanma_port
import machine

from host_tests.faults.flash import PowerCut

_PIN = 21
_RTC = "rtc.json"
_NVS = "nvs.json"
_TEARS = ("new", "absent", "piece", "mangled")
_LONG_S = 40000  # longer than every wait for an emergency

edges = []  # levels of the relay's pin, since the power came


def _on_edge(pin, level):
    if pin == _PIN:
        edges.append(level)


class _Board:
    """Stands for the module `board`: the unix board without read-back, so that answers wait for nothing."""


class CutNvs(esp32.NVS):
    """The stand-in's NVS with every write counted and one of them cut. As on the chip, what is set is on flash at once."""

    writes = 0
    cut = None  # (write, tear)
    dead = False

    def set_blob(self, key, value):
        self._write(key, lambda data: esp32_set_blob(self, key, data), bytes(value))

    def set_i32(self, key, value):
        self._write(key, lambda data: esp32_set_i32(self, key, data), value)

    def erase_key(self, key):
        self._write(key, lambda _: esp32_erase(self, key), None)

    def commit(self):
        self._write(None, lambda _: None, None)

    def _write(self, key, work, data):
        if CutNvs.dead:
            raise PowerCut
        CutNvs.writes += 1
        tear = CutNvs.cut[1] if CutNvs.cut and CutNvs.cut[0] == CutNvs.writes else None
        CutNvs.dead = tear is not None
        if tear in (None, "new"):
            work(data)
            esp32_commit(self)
        elif tear != "before" and isinstance(data, bytes):
            self._tear(key, work, data, tear)
        if tear:
            raise PowerCut

    def _tear(self, key, work, data, tear):
        if tear == "absent":
            try:
                esp32_erase(self, key)
            except OSError:
                pass
        elif tear == "piece":
            work(data[: len(data) // 2])
        else:
            work(data[:5] + bytes([data[5] ^ 0x0F]) + bytes(255 - byte for byte in data[6:12]) + data[12:])
        esp32_commit(self)


esp32_set_blob = esp32.NVS.set_blob
esp32_set_i32 = esp32.NVS.set_i32
esp32_erase = esp32.NVS.erase_key
esp32_commit = esp32.NVS.commit


def _order(action, request_id, **more):
    return ("order", action, request_id, more)


_ON = _order(1, "on1", job="J1")
_CASES = {
    "the first boots": [[], [], []],
    "on and off": [[_ON, _order(0, "off1")], [_order(1, "on2", job="J2"), _order(0, "off2"), _order(1, "on3")]],
    "a ban and its end": [[_ON, _order(0, "off1", barred=True)], [_order(1, "on2"), _order(0, "off2", barred=True)], []],
    "a ban that stays": [[_order(0, "off1", barred=True)], [_order(0, "off2"), _order(0, "off3")], []],
    "out of service": [[_order(0, "s1", out_of_service=True)], [_order(1, "on1"), _order(0, "s2", out_of_service=False)], []],
    "refused by the platform": [[("refused",)], [], [("up",)]],
    "boots that finish": [[("finish",)], [_ON, ("finish",)], []],
    "crashes between": [[_ON, ("crash",), _order(0, "off1")], [_order(1, "on3", job="J3"), ("crash",)]],
}


class Life:
    """One terminal over its boots, and what is known of it from outside."""

    def __init__(self, tally, case):
        self.tally = tally
        self.case = case
        self.where = "uncut"
        self.barred = {False}  # what may be in force: one value, or two while an order is under way
        self.out_of_service = {False}
        self.refused = {False}
        self.numbers = []  # of the boots
        self.obeyed = []  # ids of 1s that were answered 200
        self._heard = []
        self._guard = self._store = None

    def find(self, name, text):
        self.tally.find(self.case, self.where, name, text)

    def power_on(self):
        """A power-on: RTC memory and pins are gone, every module is new."""
        hanma_port._memory.pop(_RTC, None)
        was_powered = bool(edges) and edges[-1] == 1
        del edges[:]
        self.boot()
        if 1 in edges:
            self.find("powered", "the pin showed %r at a power-on" % edges)
        lost = [effect for effect in self._heard if effect[0] == "event" and effect[2] == "power_lost"]
        if was_powered and not lost and not CutNvs.dead:
            self.find("unreported", "powered when the power went, and nothing tells of it")
        self._compare()

    def boot(self):
        """Run the terminal's boot on what there is."""
        for name in [name for name in sys.modules if name.split(".")[0] in ("terminal", "modem")]:
            del sys.modules[name]
        machine._pads.clear()
        from terminal.borrow import borrow

        parts = borrow("start").begin()
        self._guard, self._store = parts.guard, parts.store
        self._heard = []
        self._guard.attach(self._heard.append)
        if self._store.number in self.numbers:
            self.find("number", "boot number %d comes twice: %r" % (self._store.number, self.numbers))
        self.numbers.append(self._store.number)

    def _compare(self):
        lock = self._guard.interlock
        for name, value, allowed in (
            ("barred", lock.barred, self.barred),
            ("out_of_service", lock.is_out_of_service, self.out_of_service),
            ("refused", lock.refused, self.refused),
        ):
            if value not in allowed:
                self.find(name, "%s is %r after the boot, may be %r" % (name, value, allowed))

    def step(self, step):
        """Do one step and keep the books: until it is answered, the old and the new may be in force."""
        getattr(self, "_" + step[0])(*step[1:])

    def _order(self, action, request_id, more):
        barred = {bool(more.get("barred"))} if action == 1 or more.get("barred") else self.barred
        out = self.out_of_service if "out_of_service" not in more else {more["out_of_service"]}
        is_locked = action == 1 and True in self.out_of_service
        if is_locked:
            barred = self.barred
        self.barred, after_barred = self.barred | barred, barred
        self.out_of_service, after_out = self.out_of_service | out, out
        lock = self._guard.interlock
        arguments = (action, request_id, more.get("job"), None, "platform", more.get("barred", False), more.get("out_of_service"))
        self._tell(lock.command, *arguments)
        answers = [effect for effect in self._heard if effect[:2] == ("answer", request_id)]
        if answers and answers[-1][2] == 200 and action == 1:
            self.obeyed.append(request_id)
        if action == 1 and answers and answers[-1][2] == 200 and edges[-1] != 1:
            self.find("unpowered", "answered %r and the pin shows %r" % (answers[-1], edges))
        if action == 0 and "out_of_service" not in more and edges[-1] != 0:
            self.find("powered", "stopped and the pin shows %r" % edges)
        self.barred, self.out_of_service = after_barred, after_out

    def _tell(self, fact, *details):
        """As the desk does it; the switching interval is over before and after."""
        guard = self._guard
        self._now_s = max(self._guard.interlock.now, 0) + 60
        guard.do(fact(self._now_s, *details))

    def _refused(self):
        self.refused = {False, True}
        self._tell(self._guard.interlock.session_refused)
        self.refused = {True}

    def _up(self):
        self.refused = {False, True}
        self._tell(self._guard.interlock.session_up)
        self.refused = {False}

    def _finish(self):
        from terminal.borrow import borrow

        borrow("boots").finish(self._store)

    def _crash(self):
        level = edges[-1]
        self.boot()
        if edges[-1] != level:
            self.find("dropped" if level else "powered", "a crash moved the pin: %r" % edges)

    def look_around(self):
        """At the end: nothing that was obeyed is obeyed again, and no ban opens by waiting."""
        for request_id in self.obeyed[-2:]:
            if self.out_of_service == {True} or edges[-1] == 1:
                break
            self._tell(self._guard.interlock.command, 1, request_id, "J9")
            if edges[-1] == 1:
                self.find("repeated", "%s was obeyed a second time" % request_id)
        lock = self._guard.interlock
        held = True if edges[-1] == 0 and (lock.barred or lock.refused or lock.is_out_of_service) else None
        self._tell(lock.session_down, "no_signal")
        self._guard.do(lock.tick(lock.now + _LONG_S))
        if held and edges[-1] == 1:
            self.find("emergency", "an emergency while barred, refused or out of service")


def _play(life, boots):
    """Live through the boots; return whether the power went before their end."""
    try:
        for steps in boots:
            life.power_on()
            for step in steps:
                life.step(step)
    except PowerCut:
        return True
    return False


def _run(tally, name, cut):
    """Live one case with its cut, and the boots after it. Returns (NVS before the cut's write, after it, writes)."""
    hanma_port._memory.clear()
    hanma_port._memory[_NVS] = '{"hanma": {}}'
    del edges[:]
    CutNvs.writes, CutNvs.cut, CutNvs.dead = 0, cut, False
    life = Life(tally, name)
    if cut:
        life.where = "cut at write %d, %s" % cut
    is_cut = _play(life, _CASES[name])
    image, writes = hanma_port._memory[_NVS], CutNvs.writes
    CutNvs.cut, CutNvs.dead = None, False
    if cut and not is_cut:
        life.find("caught", "the power cut was caught by the terminal")
    try:
        life.power_on()
        life.look_around()
        life.power_on()
    except Exception as error:
        sys.print_exception(error, sys.stderr)
        life.find("boot", "the boot does not go on: %r" % error)
    return image, writes


def run(options, tally):
    """Sweep all cases, or those named in options["cases"]."""
    esp32.NVS = CutNvs
    hanma_port.on_edge = _on_edge
    sys.modules["board"] = _Board
    from host_tests.faults.unix_board import BOARD

    _Board.BOARD = BOARD
    for name in options.get("cases") or sorted(_CASES):
        uncut, writes = _run(tally, name, None)
        for write in range(1, writes + 1):
            untouched = _run(tally, name, (write, "before"))[0]
            tally.cut(False)
            for tear in _TEARS:
                image = _run(tally, name, (write, tear))[0]
                tally.cut(image not in (untouched, uncut))
