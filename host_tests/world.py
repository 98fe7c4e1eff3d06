"""The whole world on loopback for one terminal: `make run`.

The firmware as it would be flashed runs on MicroPython's unix port between stand-ins for its chip; beside it
run the simulated modem, an MQTT broker and the authority's platform. A World starts the parts, turns its
knobs and ends them all. `factor`: the world's seconds in one real second, the same for every clock in it.
Each run leaves its files (pin log, broker log, journal, the terminal's console) in its directory.
"""

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import signal
import struct
import sys
import time

from hanma import stage, toolchain
from hanma.bench import certificates, sample
from hanma.bench.broker import EmbeddedBroker
from hanma.bench.journal import Journal
from hanma.bench.people import People
from hanma.bench.platform import Platform, PlatformError
from hanma.bench.screen import Key, Screen, people_keys
from host_tests.board import image as board_image
from host_tests.port.chip import Chip
from host_tests.sim.families import NAMES as FAMILIES

DEVICE = "demo-1"
HOST = "platform.example"  # the simulated name service leads every name to the loopback
DIRECTORY = toolchain.BUILD / "run"
_SECRET = b"loopback-only"
_START_S = 30
_STOP_S = 5

# What the world changes in the terminal's settings: short waits, so that a person sees them end.
SETTINGS = {
    "profile": "plain",
    "host": HOST,
    "keepalive_s": 30,
    "position_period_s": 300,
    "fail_open_after_s": 180,
    "handover_idle_s": 60,
}


class WorldError(Exception):
    """The world cannot begin; the text says why."""


class PinLog:
    """Follows the stand-in's log of output pins, one pin's edges: (real unix ms, level 0, 1 or None)."""

    def __init__(self, path, pin):
        self._path, self._pin = pathlib.Path(path), pin
        self._at = 0
        self._edges = []

    def edges(self):
        """Every edge so far, the initial level first."""
        with contextlib.suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek(self._at)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._at += len(line)
                edge = json.loads(line)
                if edge["pin"] == self._pin:
                    self._edges.append((edge["t_us"] / 1000, edge["level"]))
        return self._edges

    def level(self):
        """The level now: 0, 1, or None while nothing drives it."""
        edges = self.edges()
        return edges[-1][1] if edges else None


class Simulator:
    """The simulated modem in a process of its own, and its control channel."""

    def __init__(self, factor, power_log, power_pin, family):
        self._command = [sys.executable, "-m", "host_tests.sim", "--family", family, "--speed", str(factor), "--off",
                         "--power-file", str(power_log), "--power-pin", str(power_pin)]
        self._process = self._reader = self._writer = None
        self._turn = asyncio.Lock()

    async def start(self):
        """Starts it. Raises WorldError when it says nothing."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command, cwd=toolchain.ROOT, stdout=asyncio.subprocess.PIPE, start_new_session=True)
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), _START_S)
            self.about = json.loads(line)
        except (asyncio.TimeoutError, ValueError) as error:
            raise WorldError(f"the modem simulator did not start: {' '.join(self._command)}") from error
        self._reader, self._writer = await asyncio.open_connection(*self.about["control"])

    async def call(self, cmd, **fields):
        """Turns a knob of the simulated world (host_tests/sim/control_server.py lists them). Returns the
        reply."""
        async with self._turn:
            reply = await self._ask(self._reader, self._writer, {"cmd": cmd, **fields})
        if not reply.pop("ok"):
            raise WorldError(reply["error"])
        return reply

    @staticmethod
    async def _ask(reader, writer, request):
        writer.write(json.dumps(request).encode() + b"\n")
        await writer.drain()
        return json.loads(await reader.readline())

    async def spoken(self, told):
        """Calls `told(text)` for everything the modem says aloud, until cancelled."""
        reader, writer = await asyncio.open_connection(*self.about["control"])
        try:
            await self._ask(reader, writer, {"cmd": "watch", "events": ["tts"]})
            while line := await reader.readline():
                told(str(json.loads(line).get("text")))
        finally:
            writer.close()

    async def stop(self):
        """Ends it."""
        if self._writer is not None:
            self._writer.close()
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), _STOP_S)
            except asyncio.TimeoutError:
                self._process.kill()
                await self._process.wait()


class World:
    """Every part, for one run; `async with World(…) as world:` begins and ends it.

    directory   where its files go; what an earlier run left there is removed
    factor      world seconds in one real second, a whole number
    tls         the terminal speaks TLS to the broker, and checks it
    settings    more of the terminal's settings
    source      run the sources instead of the compiled tree, for readable tracebacks
    family      the modem's: one of host_tests.sim.families.NAMES
    image       the flash image of a provisioned virtual board, staged for the board "unix": a copy of it runs, with the
                identity in the key-value store beside it and the settings of this world over its own
    """

    def __init__(self, directory=DIRECTORY, *, factor=1, tls=False, settings=None, source=False, family="a76xx", image=None):
        self.directory, self.factor, self.tls, self.source = pathlib.Path(directory), factor, tls, source
        self.family = family
        self.image = pathlib.Path(image).resolve() if image else None
        self.device = DEVICE
        self.settings = {**SETTINGS, **(settings or {})}
        self.board = stage.load_board("unix")
        self.relay = PinLog(self.directory / "chip" / "pins.log", self.board["relay"]["pin"])
        self.broker_log = self.directory / "broker.jsonl"
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self):
        try:
            self._take_directory()
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_):
        await self._stack.aclose()

    # ---- beginning

    def _take_directory(self):
        self.directory.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(f"{self.directory}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        self._stack.callback(os.close, lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise WorldError(f"another world is running in {self.directory}") from error
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir()

    async def _start(self):
        (self.directory / "chip").mkdir()
        if self.image:
            self._take_image()
        else:
            await asyncio.to_thread(stage.stage, "unix", self.directory / "flash", self.source)
        self.chip = Chip(self.directory / "flash", self.directory / "chip", micropython=toolchain.micropython(),
                         time_factor=self.factor)
        self._stack.callback(self.chip.close)
        modem = self.board["modem"]
        self.modem = Simulator(self.factor, self.directory / "chip" / "pins.log", modem["key"]["pin"], self.family)
        self._stack.push_async_callback(self.modem.stop)
        await self.modem.start()
        await self._set_clock()
        await self._start_platform()
        self._wire()
        self.chip.power_on()

    def _take_image(self):
        """Copy what the board keeps; its directory on this host stays empty."""
        (self.directory / "flash").mkdir()
        if not self.image.is_file() or self.image.name != board_image.FLASH:
            raise WorldError(f"no {board_image.FLASH} of a virtual board: {self.image}")
        board_image.copy(self.image.parent, self.directory / "chip")
        identity = board_image.read_nvs(self.directory / "chip").get("hanma", {})
        if "device_id" not in identity:
            raise WorldError(f"the board of {self.image} has no identity: provision it first")
        self.device = identity["device_id"].decode()

    async def _set_clock(self):
        """The platform goes by the world's clock, as the terminal does: both are told the same time."""
        before = time.monotonic_ns()
        state = await self.modem.call("state")
        self._unix_ms, self._at_ns = state["unix_ms"], (before + time.monotonic_ns()) // 2
        since_ms = (time.monotonic_ns() - self._at_ns) // 1_000_000
        self._real_ms = time.time_ns() // 1_000_000 - since_ms

    def clock_ms(self):
        """The world's time, milliseconds since 1970."""
        return self._unix_ms + (time.monotonic_ns() - self._at_ns) * self.factor // 1_000_000

    def unix_ms_at(self, real_ms):
        """The world's time at a moment of real time (both milliseconds since 1970)."""
        return self._unix_ms + int((real_ms - self._real_ms) * self.factor)

    async def _start_platform(self):
        names = (HOST, "127.0.0.1")
        self.files = certificates.make(self.directory / "tls", names=names) if self.tls else None
        self.broker = EmbeddedBroker(tls=self.files, log_path=self.broker_log, hurry=self.factor)
        await self._stack.enter_async_context(self.broker)
        self.people = People(self.directory / "people.sqlite")
        self._stack.callback(self.people.close)
        sample.fill(self.people, self.device, self.clock_ms())
        self.journal = self._stack.enter_context(Journal(self.directory / "journal.jsonl", self.clock_ms))
        self.platform = Platform(self.broker.url, self.people, self.journal, clock_ms=self.clock_ms,
                                 ca_file=self.files.ca if self.tls else None)
        self._background(self.platform.run())
        await asyncio.wait_for(self.platform.connected.wait(), _START_S)

    def _background(self, work):
        task = asyncio.create_task(work)
        self._stack.push_async_callback(_end, task)

    def _wire(self):
        """The modem's pty on the chip's UART, the read-back and the welding sense, identity and settings."""
        board, chip = self.board, self.chip
        chip.link_uart(board["modem"]["uart"], self.modem.about["tty"])
        chip.set_pin(board["readback"]["pin"], f"={board['relay']['pin']}")
        self.weld(False)
        settings = {**self.settings, "port": self.broker.port, "tls": self.tls}
        files = {"config.json": json.dumps(settings).encode()}
        if self.tls:
            files["ca.pem"] = pathlib.Path(self.files.ca).read_bytes()
        if self.image:
            board_image.write_files(chip.state, files)
            return
        chip.nvs_set("hanma", "device_id", DEVICE.encode())
        chip.nvs_set("hanma", "secret", _SECRET)
        for name, content in files.items():
            (chip.flash / name).write_bytes(content)

    # ---- knobs

    def weld(self, welding):
        """Somebody strikes an arc, or stops."""
        self.chip.set_pin(self.board["welding"]["pin"], "1" if welding else "0")

    async def network(self, up):
        """The network behind the modem dies (the modem still answers), or comes back."""
        await self.modem.call("network", up=up)

    async def power_cut(self):
        """The mains fail and come back at once: chip and modem begin anew."""
        await asyncio.to_thread(self.chip.power_off)
        await self.modem.call("power", on=False)
        self.chip.power_on()

    def listen(self, told):
        """From now on `told(text)` hears every voice prompt."""
        self._background(self.modem.spoken(told))


async def _end(task):
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


# ---- the live screen


class Keys:
    """The keys of the world itself, beside those of the people."""

    def __init__(self, world):
        self.world = world
        self.welding = False
        self.sim_in = True

    def all(self):
        """Key list for the screen."""
        return [
            Key("n", "断网", "pull the network", lambda: self.world.network(False)),
            Key("b", "恢复网络", "bring it back", lambda: self.world.network(True)),
            Key("m", "模组重启", "drop the modem", self.drop_modem),
            Key("s", "拔/插 SIM", "SIM out/in", self.toggle_sim),
            Key("w", "起弧/收弧", "weld/stop", self.toggle_welding),
            Key("p", "断电重启", "power cut", self.world.power_cut),
        ]

    async def drop_modem(self):
        await self.world.modem.call("reboot")

    async def toggle_sim(self):
        self.sim_in = not self.sim_in
        await self.world.modem.call("sim", state="ready" if self.sim_in else "absent")
        return "插入 in" if self.sim_in else "拔出 out"

    async def toggle_welding(self):
        self.welding = not self.welding
        self.world.weld(self.welding)
        return "起弧 arc" if self.welding else "收弧 no arc"


_RECORD_HEAD = struct.Struct("<2sHHIII")  # of the terminal's journal: magic, length, code, boot, sequence, CRC


def records_in(segment):
    """Return how many records a segment of the terminal's journal holds, by their lengths."""
    count = at = 0
    while at + _RECORD_HEAD.size <= len(segment):
        at += _RECORD_HEAD.size + _RECORD_HEAD.unpack_from(segment, at)[1]
        count += 1
    return count


def outbox(flash):
    """Return what the terminal's journal on flash holds: {rank: records not acknowledged, or not removed yet}."""
    waiting = {rank: 0 for rank in _RANKS}
    for path in (flash / "outbox").glob("[0-2].*"):
        with contextlib.suppress(FileNotFoundError):  # sent and removed since the listing
            waiting[path.name[0]] += records_in(path.read_bytes())
    return waiting


_RANKS = {"0": "报警 alarms", "1": "事件 events", "2": "定位 positions"}


def _rows(world):
    level = {1: "1 通电 powered", 0: "0 断电 unpowered"}.get(world.relay.level(), "— 未驱动 not driven")
    rows = [("引脚 relay pin", level), ("模组 modem", f"{world.family}, ×{world.factor} 时间 time")]
    if not world.image:  # an image's files cannot be looked into while it runs
        waiting = " · ".join(f"{_RANKS[rank]} {count}" for rank, count in outbox(world.chip.flash).items())
        rows.insert(1, ("待发 outbox", waiting))
    return rows


async def show(options):
    """Runs a world with its screen until "q" or Ctrl-C."""
    world = World(options.directory, factor=options.factor, tls=options.tls, source=options.source,
                  family=options.family, image=options.image)
    async with world:
        keys = people_keys(world.platform, world.device) + Keys(world).all()
        screen = Screen(world.platform, world.device, keys, rows=lambda: _rows(world))
        world.listen(screen.spoken)
        screen.say(f"世界已启动，文件在 the world runs, its files are in {world.directory}")
        await screen.run()


def run(work):
    """Runs a coroutine to its end, to Ctrl-C or SIGTERM. Returns the exit status."""
    async def guarded():
        task = asyncio.current_task()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        return asyncio.run(guarded()) or 0
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    except (WorldError, PlatformError, board_image.ImageError, stage.StageError, toolchain.Missing) as error:
        print(f"make run: {error}", file=sys.stderr)
        return 1


def arguments(description, factor, takes_image=False):
    """The command line that the world and the demonstration share; the demonstration's device is its own."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--factor", type=int, default=factor, help="world seconds in one real second")
    parser.add_argument("--tls", action="store_true", help="the terminal speaks TLS and checks the broker")
    parser.add_argument("--directory", type=pathlib.Path, default=DIRECTORY, help="where the run's files go")
    parser.add_argument("--family", choices=FAMILIES, default=FAMILIES[0], help="the modem's family")
    parser.add_argument("--source", action="store_true", default=os.environ.get("SOURCE") == "1",
                        help="run the sources, not the compiled tree (also SOURCE=1)")
    if takes_image:
        parser.add_argument("--image", type=pathlib.Path, help="the flash image of a provisioned virtual board")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(run(show(arguments("A terminal in a whole world on loopback, with a live screen.", 1, takes_image=True))))
