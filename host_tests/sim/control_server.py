"""The simulator's control channel: lines of JSON over a local TCP socket.

A request is {"cmd": name, …}, the reply {"ok": true, …} or {"ok": false, "error": text}. `help` lists the
commands.
"""

import asyncio
import json
import time

from host_tests.sim.faults import FAULTS, of_family
from host_tests.sim.json_lines import JsonLines
from host_tests.sim.text import unhex

_QUEUE = 1000


class ControlServer(JsonLines):
    """Carries out requests on a shell's core."""

    def __init__(self, shell, loop):
        super().__init__()
        self._shell = shell
        self._core = shell.core
        self._loop = loop
        self._watchers = {}  # queue -> set of event names or None

    async def _after(self, request, reader, writer):
        """Serve events from now on where they were asked for."""
        if request["cmd"] != "watch":
            return False
        await self._stream(reader, writer, request.get("events"))
        return True

    async def _stream(self, reader, writer, names):
        queue = asyncio.Queue(_QUEUE)
        self._watchers[queue] = set(names) if names else None
        self._core.on_event = self._event
        gone = self._loop.create_task(reader.read())
        try:
            while not gone.done():
                item = self._loop.create_task(queue.get())
                await asyncio.wait((gone, item), return_when=asyncio.FIRST_COMPLETED)
                if not item.done():
                    item.cancel()
                    break
                writer.write(json.dumps(item.result()).encode() + b"\n")
                await writer.drain()
        finally:
            gone.cancel()
            del self._watchers[queue]
            if not self._watchers:
                self._core.on_event = None

    def _event(self, kind, value):
        fields = {"at": "line", "tts": "text", "power": "state"}
        item = {"event": kind, fields.get(kind, "value"): value}
        item["unix_us"] = time.time_ns() // 1000
        item["now_ms"] = self._core.now
        for queue, names in self._watchers.items():
            if (names is None or kind in names) and not queue.full():
                queue.put_nowait(item)

    # --- commands -----------------------------------------------------------------------------------------

    def cmd_help(self):
        """List the commands and the faults."""
        commands = {name[4:]: getattr(self, name).__doc__ for name in dir(self) if name.startswith("cmd_")}
        faults = {name: FAULTS[name][2] for name in of_family(self._core.family.NAME)}
        return {"commands": commands, "faults": faults}

    def cmd_state(self):
        """Tell everything: power, world, sockets, counters (UART bytes, IP bytes on the air), faults."""
        core, radio, services = self._core, self._core.radio, self._core.services
        core.advance(self._shell.now_ms())
        self._shell.flush()
        lat, lng = services.track.at(core.now)[:2]
        return {
            "family": core.family.NAME,
            "now_ms": core.now,
            "unix_ms": radio.unix_ms(),
            "mode": core.mode,
            "baud": core.baud,
            "echo": core.echo,
            "muted": core.muted,
            "sim": radio.sim,
            "stat": radio.stat,
            "rsrp_dbm": radio.rsrp_dbm,
            "bearer": radio.bearer,
            "network": core.links.network_up,
            "credit": radio.credit,
            "apn": core.general.apn,
            "apn_required": radio.apns,
            "position_e7": [lat, lng],
            "faults": core.faults.state(),
            "counters": dict(core.counters),
            "power_cycles": core.counters["power_cycles"],
            "radio_cycles": core.counters["radio_cycles"],
            "uart": {"up": core.counters["uart_up"], "down": core.counters["uart_down"]},
            **core.links.state(),
        }

    def cmd_watch(self, events=None):
        """Stream events (all, or those named in `events`) on this connection from now on."""

    def cmd_signal(self, rsrp_dbm):
        """Set the received power in dBm; null: none."""
        self._shell.post(self._core.radio.set_signal, rsrp_dbm)

    def cmd_registration(self, stat):
        """Set the network's word to the SIM: 0 idle, 1 home, 2 searching, 3 denied, 4 unknown, 5 roaming."""
        self._shell.post(self._core.radio.set_registration, stat)

    def cmd_sim(self, state=None, iccid=None, imsi=None):
        """Set the SIM's state (ready, absent, pin, puk) or its numbers."""
        for name, value in (("iccid", iccid), ("imsi", imsi)):
            if value is not None:
                self._core.settings[name] = value
        if state is not None:
            self._shell.post(self._core.radio.set_sim, state)

    def cmd_bearer(self, up):
        """Let data calls stand, or take them away."""
        self._shell.post(self._core.radio.set_bearer, up)

    def cmd_credit(self, ok):
        """Let the SIM have credit, or none: then it registers and gets its data call, but no byte passes."""
        self._shell.post(self._core.radio.set_credit, ok)

    def cmd_apn(self, required, empty=False):
        """Let the network take only these names (a text or a list; null: any) for a new data call; empty: none will do."""
        self._shell.post(self._core.radio.set_apn, required, empty)

    def cmd_network(self, up):
        """Let the network beyond the modem die (no byte passes, no close is seen) or live again."""
        self._shell.post(self._core.links.set_alive, up)

    def cmd_close(self, id):
        """Close a socket from the network's side."""
        self._shell.post(self._core.links.close_by_network, id)

    def cmd_mute(self, on):
        """Let the modem answer nothing, or speak again."""
        self._core.muted = on

    def cmd_reboot(self):
        """Let the modem restart by itself: echo on again, sockets gone."""
        self._shell.post(self._core.restart, False)

    def cmd_delay(self, ms):
        """Answer every command that much later."""
        self._core.extra_delay_ms = ms

    def cmd_garbage(self, hex):
        """Send these bytes to the host now."""
        self._shell.post(self._core.put, unhex(hex))

    def cmd_urc(self, text):
        """Send this line to the host now, as a URC."""
        self._shell.post(self._core.tell, text)

    def cmd_power(self, on=None, pulse_ms=None, reset_ms=None):
        """Switch on or off at once (on), or press the power key (pulse_ms) or the reset key (reset_ms)."""
        now_ms = self._shell.now_ms()
        if on is not None:
            self._core.power(now_ms, on)
        for key, held_ms in ((self._core.power_key, pulse_ms), (self._core.reset_key, reset_ms)):
            if held_ms is not None:
                key(now_ms, True)
                self._release_later(key, now_ms + held_ms)
        self._shell.flush()

    def _release_later(self, key, at_ms):
        now_ms = self._shell.now_ms()
        if now_ms < at_ms:
            self._loop.call_later(self._shell.real_s(at_ms - now_ms), self._release_later, key, at_ms)
            return
        key(at_ms, False)
        self._shell.flush()

    def cmd_time(self, unix_ms):
        """Set the world's clock; null: the network does not tell the time."""
        self._core.radio.set_time(self._shell.now_ms(), unix_ms)

    def cmd_gnss(self, fix):
        """Let GNSS see the sky, or not."""
        self._core.services.sky = fix

    def cmd_cells(self, ok):
        """Let the cell position service answer, or not."""
        self._core.services.cells_ok = ok

    def cmd_dns(self, **names):
        """Set names: host=ip, or null for a name that does not exist; `*` is any other name."""
        links = self._core.links
        for host, address in names.items():
            if host == "*":
                links.any_name = address
            else:
                links.names[host] = address

    def cmd_tts(self, ok):
        """Give the modem a speech engine, or none."""
        self._core.services.tts_ok = ok

    def cmd_fault(self, name, on=True, count=None, match="", **params):
        """Switch a named fault on or off; see `help` for the names and their parameters."""
        self._shell.post(self._core.faults.set, name, on, count, match, params)
