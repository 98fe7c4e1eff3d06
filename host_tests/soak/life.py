"""The terminal from one power-on to the next power cut, with the site around it. MicroPython, started by `start.py`.

Boots the staged tree in virtual time on the simulator's core and the small broker. The data files (settings, outbox) lie on a
VfsLfs2 whose block device counts erases; NVS is kept in RAM and counted by its 32-byte entries. A crash or a wanted reset
boots again in this process: the modem, the broker, RTC memory and NVS stay as they are. What is seen from outside goes to
`log.jsonl`, lines of [ms of this life, kind, …]:

    boot reason | end reason | edge pin level | weld 0|1 | knob name … | cmd id text | got id | msg topic text
    up | down why (the broker's word on the terminal's session) | refused code
    heap bytes (in use after a collection) | world bytes (the same when a boot is over and the terminal is gone)

Knobs of the site: broker_runs, refuse, clock, crash; rival (another client uses the terminal's identity and comes back whenever
it is put out), stick (the relay's contact stays closed whatever the relay does).
"""

import asyncio
import builtins
import gc
import json
import os
import random
import sys

import esp32
import hanma_port
import machine
import virtual

from host_tests.sim.broker_core import Broker
from host_tests.sim.broker_session import Session
from host_tests.sim.inprocess import LocalNetwork
from host_tests.sim.modem_core import make
from host_tests.sim.track import SHORT, Track
from host_tests.soak import quick

_PORT = 1883
_RELAY, _KEY, _RESET = 21, 25, 33  # boards/unix/board.py
_CONTACT, _WELDING = "pin_22", "pin_23"
_ATTEND_MS = 3000
_BOOT_MS = 10000
_RIVAL_MS = 1000  # after which another client with the same identity is back
_OFFLINE = b'{"actionCode":"Z0"'  # the will, too
_NVS_BLOB_BYTES = 32
_CAUSES = {"power": machine.PWRON_RESET, "wdt": machine.WDT_RESET, "reset soft": machine.SOFT_RESET}
_BORROWING = ("terminal.", "modem.")
_FIRMWARE = ("terminal", "modem", "board", "umqtt")


class Life:
    """scenario: see `month.py` and `run.py`."""

    def __init__(self, scenario):
        self.scenario = scenario
        self.directory = scenario["directory"] + "/"
        self._log = open(self.directory + "log.jsonl", "w")  # noqa: SIM115 (open as long as the life)
        self._ending = None
        self._wants_to_weld = self._is_stuck = self._has_rival = False
        self._is_powered = self._is_undisturbed = False
        self._has_broker = True
        self._nvs_commits = self._nvs_entries = 0
        self.world = world = quick.QuickWorld(scenario["slack_ms"][0], self._on_edge)
        self.network = LocalNetwork(scenario["rtt_ms"])
        self.core = world.core = make(
            self.network, {"unix_ms": scenario["unix_ms"]}, scenario["seed"], family=scenario["family"]
        )
        self.core.family.DELAYS_MS["simple"] = 0  # the modem answers at once: one wake-up less for each command
        self.network.attach(self.core)
        self.core.services.track = Track(SHORT[:1])
        self.broker = world.broker = Broker(on_event=self._on_broker)
        self.broker.listen(b"#", self._on_message)
        self.network.listen(_PORT, self.broker.connect)
        self._watch_orders()
        self._mount()
        self._keep_state()
        self._calls = open(scenario["calls"])  # noqa: SIM115 (read as time passes)
        self._plan_next()
        world.at(scenario["until_ms"], self._over)
        self.core.power(0, True)

    # ---- what the outside sees

    def note(self, *what):
        """Write a line of the log: kept in RAM, lines would be taken for the terminal's heap."""
        self._log.write(json.dumps((self.world.ms,) + what) + "\n")

    def _on_edge(self, ms, pin, level):
        if pin not in (_RELAY, _KEY, _RESET):
            return
        self.world.attend(_ATTEND_MS)
        if pin == _RELAY:
            self.note("edge", pin, level)
            self._is_powered = level == 1
            self._pace()
            self._draw_current()
        elif pin == _KEY:
            self.core.power_key(ms, level == 1)
        else:
            self.core.reset_key(ms, level == 1)

    def _draw_current(self):
        level = "1" if self._wants_to_weld and (self._is_powered or self._is_stuck) else "0"
        if hanma_port._memory.get(_WELDING, "0") != level:
            hanma_port._memory[_WELDING] = level
            self.note("weld", int(level))

    def _on_message(self, _now_ms, topic, payload, _qos, _retain):
        self.note("msg", topic.decode(), payload.decode())
        if topic.endswith(b"/up") and not self._is_undisturbed and not payload.startswith(_OFFLINE):
            self._is_undisturbed = True
            self._pace()

    def _on_broker(self, _now_ms, kind, client_id, detail):
        if kind == "subscribe":
            self.note("up")
            if self._has_rival:
                self.world.at(self.world.ms + _RIVAL_MS, self._oust)
        elif kind in ("lost", "disconnect", "protocol"):
            self._disturb()
            self.note("down", kind)
        elif kind == "refused":
            self.note("refused", detail)

    def _watch_orders(self):
        plain, life = Session.acknowledged, self

        def acknowledged(session, identifier):
            entry = session.pending.get(identifier)
            if entry:
                life.note("got", entry[0].decode().rpartition("/")[2])
            plain(session, identifier)

        Session.acknowledged = acknowledged

    # ---- what lasts

    def _mount(self):
        self.flash = quick.Flash(self.scenario["flash"], self.scenario["flash_blocks"])
        if self.flash.is_new:
            os.VfsLfs2.mkfs(self.flash)
        os.mount(os.VfsLfs2(self.flash), "/flash")
        os.chdir("/flash")
        if self.flash.is_new:
            with open("config.json", "w") as file:
                json.dump(self.scenario["config"], file)
        self.flash.erases = 0

    def _keep_state(self):
        memory = hanma_port._memory
        with open(self.scenario["nvs"]) as file:
            memory["nvs.json"] = file.read()
        self._stick(False)
        rtc = [b""]

        def rtc_memory(_self, data=None):
            if data is None:
                return rtc[0]
            rtc[0] = bytes(data)
            return None

        machine.RTC.memory = rtc_memory
        plain = esp32.NVS.commit

        def commit(nvs):
            self._nvs_commits += 1
            for value in nvs._changes.values():
                if value is not None:
                    size = len(value["blob"]) // 2 if "blob" in value else 0
                    self._nvs_entries += 2 + (size + _NVS_BLOB_BYTES - 1) // _NVS_BLOB_BYTES if "blob" in value else 1
            plain(nvs)

        esp32.NVS.commit = commit

    # ---- what happens on the site

    def _plan_next(self):
        """Read the next thing to happen: a whole life's would take half of the heap."""
        line = self._calls.readline()
        if line:
            self._plan(*json.loads(line))

    def _plan(self, at_ms, part, name, *values):
        if part == "platform":
            call = lambda: self._publish(name, values[0])  # noqa: E731
        elif part == "site":
            call = lambda: getattr(self, "_" + name)(*values)  # noqa: E731
        else:
            owner = self.core if part == "core" else getattr(self.core, part)
            call = lambda: self.core.post(self.world.ms, getattr(owner, name), *values)  # noqa: E731
        noted = part != "platform" and name not in ("weld", "heap")

        def happen():
            if noted:
                if name != "clock":
                    self._disturb()
                self.note("knob", name, *values)
            self._plan_next()
            call()

        self.world.at(at_ms, happen)

    def _disturb(self):
        """Something happens to the link: no coarse timers until the terminal is heard."""
        self._is_undisturbed = False
        self._pace()

    def _pace(self):
        """Timers may be coarse while nothing is limited by time: unpowered, and the session stands."""
        self.world.slack_ms = self.scenario["slack_ms"][self._is_undisturbed and not self._is_powered]

    def _publish(self, name, text):
        self.note("cmd", name, text)
        self.world.attend(_ATTEND_MS)
        self.broker.publish(self.world.ms, ("welder/%s/command/%s" % (self.scenario["device_id"], name)).encode(), text.encode(), 1)

    def _weld(self, wanted):
        self._wants_to_weld = wanted
        self._draw_current()

    def _stick(self, is_stuck):
        self._is_stuck = is_stuck
        hanma_port._memory[_CONTACT] = "1" if is_stuck else "=%d" % _RELAY
        self._draw_current()

    def _rival(self, is_there):
        self._has_rival = is_there
        self._oust()

    def _oust(self):
        """The rival connects: a broker has room for one client of a name."""
        for client_id in self.broker.clients() if self._has_rival else ():
            self.broker.kick(self.world.ms, client_id)
            self._disturb()
            self.note("down", "rival")

    def _heap(self):
        """Look at the heap in undisturbed service, without the borrowed modules that are kept here and would not be on a chip."""
        if self._is_undisturbed:
            self._borrowed.clear()
            self.note("heap", _in_use())

    def _broker_runs(self, runs):
        self._has_broker = runs
        for connection in list(self.broker.connections):
            connection.will = None  # a broker that dies sends nobody's
            connection.abort(self.world.ms)
        self.broker.sessions.clear()
        self.network.listen(_PORT, self.broker.connect if runs else None)
        if not runs:
            self.note("down", "broker")

    def _refuse(self, code):
        self.broker.refuse_code = code
        if code and self._has_broker:
            self._broker_runs(True)

    def _clock(self, error_ms):
        """From now on the network tells a time that is wrong by so much, to a terminal that asks."""
        right_ms = self.scenario["unix_ms"] + self.world.ms
        self.core.radio.set_time(self.world.ms, right_ms + error_ms)

    def _crash(self):
        self.world.why = "crash"
        raise virtual.Reset("crash")

    def _over(self):
        self._heap()
        raise virtual.Done()

    # ---- the chip

    def run(self):
        """Live until the power goes; return what there is to say about it."""
        hanma_port.stop = self._stop
        asyncio.Event, asyncio.Lock, asyncio.StreamReader, asyncio.wait_for_ms  # noqa: B018 (frozen: before the hook of imports)
        self._borrowed = _keep_borrowed()
        reason = "power"
        while self._ending is None:
            reason = self._boot(reason)
        self.note("end", self._ending)
        self._log.close()
        self.flash.keep()
        with open(self.scenario["nvs"], "w") as file:
            file.write(hanma_port._memory["nvs.json"])
        return {
            "ms": self.world.ms,
            "steps": self.world.steps,
            "dropped": self.world.dropped,
            "modem": self.core.counters,
            "flash_erases": self.flash.erases,
            "nvs_commits": self._nvs_commits,
            "nvs_entries": self._nvs_entries,
        }

    def _boot(self, reason):
        """What the chip does at a start: boot.py, then main.py, in the same names. Returns why it is over."""
        self.note("boot", reason)
        self._disturb()
        self.world.why = None
        hanma_port.RESET_CAUSE = _CAUSES.get(reason, machine.HARD_RESET)
        self.world.silence_watchdog()
        self.world.restart_ticks()
        self.world.attend(_BOOT_MS)
        asyncio.new_event_loop()
        names = {"__name__": "__main__"}
        try:
            for part in ("boot.py", "main.py"):
                execfile(self.scenario["tree"] + "/" + part, names)  # noqa: F821
        except virtual.Done:
            self._ending = "power"
        except virtual.Reset as reset:
            reason = self.world.why or reset.reason
        names.clear()
        self._forget()
        if self._ending is None:
            self.note("reset", reason)
        return reason

    def _stop(self, line):
        """The firmware resets the chip; when it does so because something broke its loop, that was the reason."""
        if self.scenario["until_ms"] <= self.world.ms:
            raise virtual.Done()
        raise virtual.Reset(line)

    def _forget(self):
        """RAM is lost: modules, tasks, pins that are not held. What is in use afterwards is the world's."""
        for name in list(sys.modules):
            if name.partition(".")[0] in _FIRMWARE:
                del sys.modules[name]
        self._borrowed.clear()
        for pad in machine._pads.values():
            if not pad.held:
                pad.mode = pad.pull = pad.level = None
                pad.latch = 0
        asyncio.new_event_loop()
        asyncio.core.cur_task = asyncio.core.Loop._exc_handler = None  # a new loop keeps these
        asyncio.core._exc_context.update(exception=None, future=None)
        self.world.uart = None
        self.note("world", _in_use())


def _in_use():
    _overwrite_stack(40)
    gc.collect()
    return gc.mem_alloc()


def _overwrite_stack(depth):
    """What lay there may look like a pointer to what is gone."""
    if depth:
        _overwrite_stack(depth - 1)


def _keep_borrowed():
    """Load a module that the firmware borrows (imports without keeping it) once: parsing it again is most of its cost here."""
    plain, kept = builtins.__import__, {}

    def load(name, *arguments):
        if name not in kept:
            if not (arguments and name.startswith(_BORROWING) and name not in sys.modules):
                return plain(name, *arguments)
            module = plain(name, *arguments)
            if len(arguments) == 3 and arguments[0] is None:  # as only borrow() calls it
                kept[name] = module
            return module
        package, _, leaf = name.partition(".")
        sys.modules[name] = kept[name]
        setattr(sys.modules[package], leaf, kept[name])
        return kept[name]

    builtins.__import__ = load
    return kept


class _Gc:
    """The `gc` module for a firmware that shares its heap with the world: it would collect for all of that too, again and again.

    What is out of use is collected when the heap is full, and before the heap is measured.
    """

    def __init__(self):
        for name in dir(gc):
            if name[0] != "_":
                setattr(self, name, getattr(gc, name))
        self.threshold = lambda amount=-1: amount
        self.collect = lambda: 0


def main(path):
    """Live and write down how it went."""
    with open(path) as file:
        scenario = json.load(file)
    random.seed(scenario["seed"])
    sys.modules["gc"] = _Gc()
    life = Life(scenario)
    result = life.run()
    with open(life.directory + "result.json", "w") as file:
        json.dump(result, file)
