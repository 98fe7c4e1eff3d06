"""The chip around the firmware, on CPython: power, resets, watchdog, what outlives them, and the log of its
pins.

State: the flash directory, the state directory (see `machine.py` for its files) and one MicroPython process,
which this runner starts again whenever the chip would. Times are host seconds unless a name says otherwise.
"""

import contextlib
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time

PWRON, HARD, WDT, SOFT = 1, 2, 3, 5

_RUN = pathlib.Path(__file__).resolve().parent / "run.py"
_POLL_S = 0.05
_ASLEEP_WAIT_S = 0.5
_CRASHES_MOST = 50  # process deaths of its own in one power-on: more is a broken host, not a broken firmware


class Chip:
    """One terminal's chip. `with Chip(…) as chip:` powers off at the end.

    flash_dir: the staged tree. state_dir: made when missing. micropython: the binary. heap: bytes or text for
    -X heapsize (None: the binary's own). time_factor: terminal seconds per host second. env: more variables.
    watchdog_least_s: a busy host may hold the process that long; the watchdog never bites earlier.
    """

    def __init__(
        self, flash_dir, state_dir, *, micropython, heap=None, time_factor=1, env=None, watchdog_least_s=2.0
    ):
        self.flash = pathlib.Path(flash_dir)
        self.state = pathlib.Path(state_dir).resolve()
        self.state.mkdir(parents=True, exist_ok=True)
        self.console = self.state / "console.log"
        self.boots = 0  # since power_on
        self.reset_causes = []  # one a boot, over the chip's life
        self.at_repl = False  # the firmware ended: a dead terminal
        self.interruptible = True  # Ctrl-C would raise KeyboardInterrupt
        self.standins_bytes = None  # heap the stand-ins take, told at each boot
        self.feeds = 0
        self.failure = None  # why this runner gave up
        self._command = [str(micropython)] + (["-X", f"heapsize={heap}"] if heap else []) + [str(_RUN)]
        self._env = dict(os.environ, HANMA_PORT=str(self.state), HANMA_TIME_FACTOR=str(time_factor))
        self._env.update(env or {})
        self._factor = time_factor
        self._watchdog_least_s = watchdog_least_s
        self._process = None
        self._thread = None
        self._changed = threading.Condition(threading.RLock())
        self._fifo = self._open_fifo("chip")
        self._silence = self._open_fifo("silence")
        self._pending = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _open_fifo(self, name):
        path = self.state / name
        with contextlib.suppress(FileExistsError):
            os.mkfifo(path)
        return os.open(path, os.O_RDWR | os.O_NONBLOCK)

    # Power and resets

    def power_on(self):
        """Apply power: reset cause PWRON, RTC and holds lost."""
        with self._changed:
            if self._process is not None:
                raise RuntimeError("the chip is on already")
            self._forget_rtc()
            self.boots = 0
            self._start(PWRON)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def power_off(self):
        """Cut the power at this instant. Nothing to do when it is off."""
        with self._changed:
            self._kill(pins_kept=False)
            self._forget_rtc()
            self._changed.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(10)
            self._thread = None

    def press_reset(self):
        """Press EN: for the chip it is a power-on."""
        self.power_off()
        self.power_on()

    def brown_out(self):
        """Let the supply sag: cause PWRON, but RTC memory and clock survive."""
        self._restart(PWRON)

    def crash(self):
        """Let the chip panic: cause HARD, without a Python traceback."""
        self._restart(HARD)

    def soft_reboot(self):
        """Let Python start afresh: cause SOFT, everything else as after any reset."""
        self._restart(SOFT)

    def freeze(self):
        """Let the program stand still, as one call that never returns does, until the watchdog bites."""
        with self._changed:
            if self._process is not None:
                self._process.send_signal(signal.SIGSTOP)

    def crash_remembering(self, rtc_text):
        """Let the chip panic with the RTC's memory of an earlier moment: the text of rtc.json then."""
        with self._changed:
            self._kill()
            self._write("rtc.json", rtc_text)
            self._start(HARD)

    def ctrl_c(self):
        """Send the byte 0x03 on the REPL UART. Return whether it could interrupt the firmware."""
        with self._changed:
            if self.interruptible and self._process is not None:
                _wait_asleep(self._process.pid)
                self._process.send_signal(signal.SIGINT)
                return True
        return False

    def close(self):
        """Power off and let go of the state directory's pipes."""
        self.power_off()
        if self._fifo is not None:
            os.close(self._fifo)
            os.close(self._silence)
            self._fifo = self._silence = None

    @property
    def on(self):
        """Whether the chip has power."""
        return self._process is not None

    # Waiting

    def wait(self, timeout_s=None):
        """Wait for an end; return "off", "repl" (a dead terminal), "failed", or None after the time-out."""
        self.wait_until(lambda: self._end() is not None, timeout_s)
        return self._end()

    def _end(self):
        if self.failure:
            return "failed"
        if not self.on:
            return "off"
        return "repl" if self.at_repl else None

    def wait_until(self, condition, timeout_s=None):
        """Wait until condition() is true, looking at each change and every 50 ms; return its last value."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        with self._changed:
            while not (value := condition()):
                if end is not None and time.monotonic() >= end:
                    return value
                self._changed.wait(_POLL_S)
            return value

    def wait_pin(self, number, level, timeout_s, after=0):
        """Wait for an edge of that pin to that level, at index `after` or later; return it or None."""

        def found():
            edges = self.pin_log()[after:]
            return next((edge for edge in edges if edge["pin"] == number and edge["level"] == level), None)

        return self.wait_until(found, timeout_s)

    # The world around the pins, and flash

    def pin_log(self):
        """Return the edges so far: {"t_us": unix µs, "pin": N, "level": 0, 1 or None (no longer driven)}."""
        try:
            lines = (self.state / "pins.log").read_text().split("\n")[:-1]
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines]

    def pin_level(self, number):
        """Return the level an output drives now: 0, 1 or None."""
        return _levels(self.pin_log()).get(number)

    def set_pin(self, number, text):
        """Set an input: "0", "1", "=12" (follows output 12), "!12" (its inverse)."""
        self._write(f"pin_{number}", text)

    def set_adc(self, number, raw):
        """Set an analogue input's raw value, 0 to 65535."""
        self._write(f"adc_{number}", str(raw))

    def set_temperature(self, celsius):
        """Set the chip's own temperature in °C."""
        self._write("temperature", str(celsius))

    def link_uart(self, number, tty):
        """Wire a pty to a UART; the firmware finds it when it opens the UART."""
        link = self.state / f"uart{number}"
        fresh = self.state / f"uart{number}.new"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(tty)
        fresh.replace(link)

    def nvs_set(self, namespace, key, value):
        """Put a value into NVS as the provisioning tool does: bytes become a blob, int a number."""
        store = self._read_json("nvs.json")
        entry = {"i32": value} if isinstance(value, int) else {"blob": bytes(value).hex()}
        store.setdefault(namespace, {})[key] = entry
        self._write("nvs.json", json.dumps(store))

    def nvs_get(self, namespace, key):
        """Return a value of NVS: bytes, int, or None when there is none."""
        entry = self._read_json("nvs.json").get(namespace, {}).get(key)
        if entry is None:
            return None
        return entry["i32"] if "i32" in entry else bytes.fromhex(entry["blob"])

    def console_text(self):
        """Return all that was printed so far."""
        try:
            return self.console.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def _read_json(self, name):
        try:
            return json.loads((self.state / name).read_text())
        except FileNotFoundError:
            return {}

    def _write(self, name, text):
        fresh = self.state / f"{name}.host"
        fresh.write_text(text)
        fresh.replace(self.state / name)

    # The process

    def _start(self, cause):
        self._drain()
        self._pending = b""
        self.at_repl = False
        self.interruptible = True
        self._deadline = self._watchdog_s = None
        self.boots += 1
        self.reset_causes.append(cause)
        env = dict(self._env, HANMA_RESET_CAUSE=str(cause))
        self._process = self._spawn(env)
        self._changed.notify_all()

    def _spawn(self, env):
        """Start MicroPython; what it prints is appended to the console's file."""
        with open(self.console, "ab") as console:
            return self._popen(env, stdin=subprocess.DEVNULL, stdout=console)

    def _popen(self, env, stdin, stdout):
        return subprocess.Popen(
            self._command,
            cwd=self.flash,
            env=env,
            stdin=stdin,
            stdout=stdout,
            stderr=stdout,
            start_new_session=True,
        )

    def _kill(self, pins_kept=True):
        """End the process as a reset does; log which pins it drives no longer."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None
        held = self._read_json("hold.json") if pins_kept else {}
        lines = [
            json.dumps({"t_us": time.time_ns() // 1000, "pin": pin, "level": None})
            for pin, level in _levels(self.pin_log()).items()
            if level is not None and str(pin) not in held
        ]
        if lines:
            with open(self.state / "pins.log", "a") as log:
                log.write("".join(line + "\n" for line in lines))

    def _restart(self, cause):
        with self._changed:
            if self._process is not None:
                self._kill()
                self._start(cause)

    def _forget_rtc(self):
        for name in ("rtc.json", "hold.json"):
            (self.state / name).unlink(missing_ok=True)

    def _drain(self):
        while select.select([self._fifo], [], [], 0)[0]:
            os.read(self._fifo, 65536)

    def _watch(self):
        """Serve the process until power-off: its words, its watchdog, its death."""
        while True:
            select.select([self._fifo], [], [], _POLL_S)
            with self._changed:
                if self._process is None:
                    return
                try:
                    self._serve()
                except Exception as error:
                    self.failure = repr(error)
                    self._kill()
                    raise
                finally:
                    self._changed.notify_all()

    def _serve(self):
        with contextlib.suppress(BlockingIOError):
            self._pending += os.read(self._fifo, 65536)
        *lines, self._pending = self._pending.split(b"\n")
        for line in lines:
            words = line.decode().split()
            if words and self._HANDLERS[words[0]](self, *words[1:]):
                return
        if self._deadline is not None and time.monotonic() > self._deadline:
            self._restart(WDT)
        elif self._process.poll() is not None:
            self._died()

    def _died(self):
        """The process ended by itself, which a chip does only by a panic."""
        if self.boots > _CRASHES_MOST:
            status = self._process.returncode
            self.failure = f"MicroPython ended {self.boots} times, the last with status {status}"
            self._kill()
        else:
            self._restart(HARD)

    # What the process says; a handler returns True when the process was replaced

    def _on_boot(self, cost):
        self.standins_bytes = int(cost)

    def _on_reset(self, kind):
        self._restart(SOFT if kind == "soft" else HARD)
        return True

    def _on_watchdog(self, timeout_ms):
        self._watchdog_s = max(int(timeout_ms) / 1000 / self._factor, self._watchdog_least_s)
        self._deadline = time.monotonic() + self._watchdog_s

    def _on_feed(self):
        self.feeds += 1
        if self._watchdog_s is not None:
            self._deadline = time.monotonic() + self._watchdog_s

    def _on_repl(self):
        self.at_repl = True

    def _on_cut(self):
        """The power went at a write to flash; nothing runs in the process any more."""

    def _on_kbd(self, character):
        self.interruptible = int(character) >= 0

    _HANDLERS = {
        "boot": _on_boot,
        "reset": _on_reset,
        "wdt": _on_watchdog,
        "feed": _on_feed,
        "repl": _on_repl,
        "kbd": _on_kbd,
        "cut": _on_cut,
        "idle": lambda self: None,
    }


def _wait_asleep(pid):
    """Wait, not for long, until the process sleeps in the kernel, where the kernel shows that.

    The chip raises KeyboardInterrupt between two bytecodes. The unix port raises it at once, and out of the
    middle of a collection the heap stays locked; no collection sleeps.
    """
    end = time.monotonic() + _ASLEEP_WAIT_S
    stat = pathlib.Path(f"/proc/{pid}/stat")
    with contextlib.suppress(OSError):
        while stat.read_text().rpartition(")")[2].split()[0] != "S" and time.monotonic() < end:
            time.sleep(0.0005)


def _levels(edges):
    """Return {pin: level} after all these edges."""
    return {edge["pin"]: edge["level"] for edge in edges}


def standins_bytes(micropython, time_factor=1, timeout_s=20, tree=None):
    """Return how many bytes of MicroPython's heap the stand-ins take with that binary.

    tree: a staged one, whose lib/umqtt stands in for what the chip's image has frozen.
    """
    directory = pathlib.Path(tempfile.mkdtemp(prefix="hanma-chip-"))
    (directory / "flash").mkdir()
    if tree is not None:
        shutil.copytree(pathlib.Path(tree) / "lib" / "umqtt", directory / "flash" / "lib" / "umqtt")
    try:
        with Chip(
            directory / "flash", directory / "state", micropython=micropython, time_factor=time_factor
        ) as chip:
            chip.power_on()
            cost = chip.wait_until(lambda: chip.standins_bytes, timeout_s)
            if cost is None:
                raise RuntimeError(f"{micropython} did not start: {chip.console_text()}")
            return cost
    finally:
        shutil.rmtree(directory)
