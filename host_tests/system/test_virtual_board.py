"""The virtual board through the real mpremote: its commands, its errors, and what hands do to cable, supply and reset meanwhile."""

import contextlib
import hashlib
import json
import re
import signal
import subprocess
import sys
import threading

import pytest

from host_tests.board import partitions
from host_tests.board.board import Board
from host_tests.port import boot_choice
from host_tests.port.chip import HARD, PWRON, SOFT
from host_tests.system.harness import Process, wait_for

pytestmark = pytest.mark.slow

_COMMAND_S = 60
_MACHINE = "LilyGo T-A7670 with ESP32"


class Bench:
    """A board and the mpremote at its port."""

    def __init__(self, board):
        self.board = board

    def start(self, *words):
        """Start mpremote and return the process."""
        command = [sys.executable, "-m", "mpremote", "connect", self.board.pts, *map(str, words)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def finish(self, process):
        """Return (exit status, what it printed) of one that was started."""
        try:
            return process.returncode, process.communicate(timeout=_COMMAND_S)[0]
        finally:
            process.kill()
            process.wait()

    def run(self, *words):
        """Run mpremote and return what it printed; it must succeed."""
        process = self.start(*words)
        _, text = self.finish(process)
        assert process.returncode == 0, text
        return text

    def fail(self, *words):
        """Run mpremote and return what it printed; it must fail."""
        process = self.start(*words)
        _, text = self.finish(process)
        assert process.returncode == 1, text
        return text

    def put(self, directory, name, text):
        """Copy a file of this text to the board."""
        path = directory / name
        path.write_text(text)
        self.run("resume", "cp", path, f":{name}")

    def until_printed(self, text):
        """Wait until the board's programs have printed this."""
        wait_for(lambda: text in self.board.console_text(), lambda: f"{text!r} in {self.board.console_text()[-2000:]}", 20)

    def until(self, **facts):
        """Wait until the board's state has these facts, and return it."""

        def found():
            state = self.board.state()
            return state if all(state[name] == value for name, value in facts.items()) else None

        return wait_for(found, lambda: f"{facts} in {self.board.state()}", 20)


@pytest.fixture
def make_bench(tmp_path):
    """Make a running board at a bench."""
    with contextlib.ExitStack() as stack:

        def make(name="board", **options):
            board = stack.enter_context(Board(tmp_path / name, **options))
            bench = Bench(board)
            if options.get("is_on", True):
                bench.until(at_prompt=True)
            return bench

        yield make


@pytest.fixture
def bench(make_bench):
    """A fresh board at a bench."""
    return make_bench()


def _tree(directory):
    """Make a small tree and return {path: content}."""
    files = {"main2.py": b"print('main')\n", "lib/one.py": b"ONE = 1\n", "lib/deep/two.bin": bytes(range(256)) * 20}
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return files


# ---- what it says it is


def test_a_board_says_of_itself_what_an_esp32_says(make_bench):
    bench = make_bench(identity="a0b1c2d3e4f5", machine_text=_MACHINE, version_text="v1.26.1 on 2025-09-11")
    told = bench.run(
        "exec",
        "import os, sys, json, machine, binascii\n"
        "print(json.dumps([list(os.uname()), sys.platform, sys.implementation._machine, "
        "list(sys.implementation.version)[:3], machine.unique_id().hex(), os.getcwd(), sys.path]))",
    )
    assert json.loads(told) == [
        ["esp32", "esp32", "1.26.1", "v1.26.1 on 2025-09-11", _MACHINE],
        "esp32",
        _MACHINE,
        [1, 26, 1],
        "a0b1c2d3e4f5",
        "/",
        ["", ".frozen", "/lib"],
    ]


def test_names_that_only_a_host_has_are_not_there(bench):
    assert bench.run("exec", "import os; print(hasattr(os, 'system'), hasattr(os, 'getenv'))") == "False False\n"


# ---- files


def test_a_tree_is_copied_hashed_listed_and_removed(bench, tmp_path):
    files = _tree(tmp_path / "tree")
    bench.run("cp", "-r", f"{tmp_path / 'tree'}/.", ":/")
    assert files.items() <= bench.board.files().items()
    told = bench.run("fs", "sha256sum", ":lib/deep/two.bin")
    assert hashlib.sha256(files["lib/deep/two.bin"]).hexdigest() in told
    assert re.findall(r"(\d+) (\S+)", bench.run("fs", "ls", ":lib")) == [("0", "deep/"), ("8", "one.py")]
    bench.run("rm", "-r", ":lib")
    assert sorted(bench.board.files()) == ["boot.py", "main2.py"]


def test_a_file_comes_back_as_it_went(bench, tmp_path):
    content = bytes(range(256)) * 9 + b"\r\n\x03\x04\x01"
    (tmp_path / "there").write_bytes(content)
    bench.run("mkdir", ":data", "+", "cp", tmp_path / "there", ":data/", "+", "cp", ":data/there", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == content


def test_what_is_there_already_is_not_copied_again(bench, tmp_path):
    _tree(tmp_path / "tree")
    bench.run("cp", "-r", f"{tmp_path / 'tree'}/.", ":/")
    assert bench.run("cp", "-r", f"{tmp_path / 'tree'}/.", ":/").count("Up to date") == 3


def test_a_missing_file_is_told_as_by_a_real_board(bench):
    assert "No such file" in bench.fail("rm", ":nowhere")


def test_df_tells_the_size_of_the_file_systems_partition(bench):
    size, mount = re.search(r"VfsLfs2>\s+(\d+) .* (\S+)$", bench.run("df"), re.MULTILINE).groups()
    assert (int(size), mount) == (2 << 20, "/")


def test_renamed_over_a_file_and_asked_for_room(bench):
    told = bench.run(
        "exec",
        "import os\n"
        "for name in 'ab':\n"
        "    with open(name, 'w') as file:\n"
        "        file.write(name)\n"
        "os.rename('a', 'b')\n"
        "print(open('b').read(), 'a' in os.listdir('/'), os.stat('b')[6], os.statvfs('/')[:3])",
    )
    assert told == "a False 1 (4096, 4096, 512)\n"


# ---- programs


def test_a_local_file_runs_and_names_last_with_resume(bench, tmp_path):
    (tmp_path / "local.py").write_text("kept = 'from the file'\nprint('run')\n")
    assert bench.run("run", tmp_path / "local.py") == "run\n"
    assert bench.run("resume", "exec", "print(kept)") == "from the file\n"
    assert "NameError" in bench.fail("exec", "print(kept)")


def test_a_source_longer_than_any_buffer_arrives_whole(bench, tmp_path):
    (tmp_path / "long.py").write_text("# " + "x" * 150_000 + "\nprint('end')\n")
    assert bench.run("run", tmp_path / "long.py") == "end\n"


def test_output_of_any_length_arrives_whole(bench):
    assert bench.run("exec", "for n in range(9000):\n print('%08d' % n)") == "".join(f"{n:08}\n" for n in range(9000))


def test_an_exception_comes_with_its_traceback(bench):
    told = bench.fail("exec", "def f():\n    return 1 / 0\nf()")
    assert told.splitlines()[:3] == [
        "Traceback (most recent call last):",
        '  File "<stdin>", line 3, in <module>',
        '  File "<stdin>", line 2, in f',
    ]
    assert "ZeroDivisionError" in told
    assert "SyntaxError" in bench.fail("exec", "1 +")


def test_ctrl_c_ends_an_endless_loop_and_the_prompt_comes_back(bench):
    process = bench.start("exec", "import time\nprint('loops')\nwhile True:\n    time.sleep(0.01)")
    bench.until_printed("loops")
    process.send_signal(signal.SIGINT)
    bench.finish(process)
    assert bench.run("resume", "exec", "print('there')") == "there\n"
    bench.until_printed("KeyboardInterrupt")


def test_ctrl_c_does_nothing_to_a_program_that_forbade_it(bench, tmp_path):
    main = (
        "import micropython, time, sys\n"
        "micropython.kbd_intr(-1)\n"
        "print('locked')\n"
        "word = sys.stdin.read(2)\n"
        "print('read', word.encode())\n"
        "micropython.kbd_intr(3)\n"
        "while True:\n    time.sleep(0.01)\n"
    )
    bench.put(tmp_path, "main.py", main)
    bench.board.control.call("press_reset")
    bench.until_printed("locked")
    with open(bench.board.port, "wb", buffering=0) as port:
        port.write(b"\x03k")
        bench.until_printed("read b'\\x03k'")
        port.write(b"\x03")
        bench.until_printed("KeyboardInterrupt")
    bench.until(at_prompt=True)


# ---- resets


def test_a_soft_reset_at_the_friendly_prompt_runs_boot_and_main(bench, tmp_path):
    bench.put(tmp_path, "boot.py", "import machine\nprint('boot', machine.reset_cause())\n")
    bench.put(tmp_path, "main.py", "print('main runs')\n")
    assert "main runs" not in bench.board.console_text()
    with open(bench.board.port, "wb", buffering=0) as port:
        port.write(b"\x02\x04")
        bench.until_printed("main runs")
    assert "boot 5" in bench.board.console_text()
    assert bench.until(at_prompt=True)["reset_causes"][-1] == SOFT


def test_soft_reset_by_mpremote_stays_in_the_raw_repl_without_main(bench, tmp_path):
    bench.put(tmp_path, "main.py", "print('main runs')\n")
    bench.run("soft-reset")
    assert bench.until(at_prompt=True)["reset_causes"][-1] == SOFT
    assert "main runs" not in bench.board.console_text()


def test_a_reset_starts_the_chip_again_with_its_cause_and_runs_main(bench, tmp_path):
    bench.put(tmp_path, "main.py", "import machine\nprint('main', machine.reset_cause())\n")
    bench.run("reset")
    bench.until_printed("main 2")
    state = bench.until(at_prompt=True)
    assert (state["reset_causes"][0], state["reset_causes"][-1]) == (PWRON, HARD)
    assert bench.run("resume", "exec", "print(1)") == "1\n"


def test_an_exception_in_boot_keeps_main_from_running(bench, tmp_path):
    bench.put(tmp_path, "main.py", "print('main runs')\n")
    bench.put(tmp_path, "boot.py", "raise ValueError('boot')\n")
    bench.board.control.call("press_reset")
    bench.until_printed("ValueError: boot")
    bench.until(at_prompt=True)
    assert "main runs" not in bench.board.console_text()


def test_exit_out_of_a_program_is_a_soft_reset(bench):
    starts = bench.board.state()["boots"]
    bench.run("resume", "exec", "import sys; sys.exit()")
    assert bench.until(boots=starts + 1)["reset_causes"][-1] == SOFT


# ---- cable and supply


def test_a_cable_pulled_during_a_copy_is_an_error_there_and_nothing_to_the_board(bench, tmp_path):
    (tmp_path / "large").write_bytes(bytes(20_000))
    bench.board.control.call("unplug", after_bytes=9000)
    bench.fail("cp", tmp_path / "large", ":large")
    assert bench.board.state()["on"] and bench.board.state()["boots"] == 2
    bench.board.control.call("plug")
    bench.run("cp", tmp_path / "large", ":large")
    assert bench.board.files()["large"] == bytes(20_000)


def test_a_program_goes_on_without_a_cable(bench, tmp_path):
    bench.put(tmp_path, "main.py", "import time\nwhile True:\n    time.sleep(0.05)\n    print(time.ticks_ms(), 'still here')\n")
    bench.board.control.call("press_reset")
    bench.board.control.call("unplug")
    before = bench.board.console_text().count("still here")
    wait_for(lambda: bench.board.console_text().count("still here") > before + 3, "it prints on", 20)
    assert bench.board.state()["pts"] is None
    bench.board.control.call("plug")
    assert "main.py" in bench.run("fs", "ls")


@pytest.mark.parametrize("write", [1, 2, 7, 30, 61])
def test_a_power_cut_during_a_copy_leaves_a_file_system_that_mounts(bench, tmp_path, write):
    bench.put(tmp_path, "before.txt", "whole")
    (tmp_path / "large").write_bytes(bytes(20_000))
    bench.board.control.call("cut", at_write=write)
    copying = bench.start("cp", tmp_path / "large", ":large")
    try:
        bench.until(on=False, writes_left=0)
        assert bench.board.files()["before.txt"] == b"whole"
    finally:
        copying.kill()
        bench.finish(copying)
    bench.board.control.call("power", on=True)
    bench.until(at_prompt=True)
    assert "before.txt" in bench.run("fs", "ls")


def test_what_was_written_outlives_the_process(make_bench, tmp_path):
    first = make_bench()
    first.put(tmp_path, "kept.txt", "kept")
    first.run("exec", "import esp32\nnvs = esp32.NVS('n')\nnvs.set_i32('i', 7)\nnvs.set_blob('b', b'blob')\nnvs.commit()")
    first.board.stop()
    second = make_bench()
    assert second.run("fs", "cat", ":kept.txt") == "kept"
    assert second.board.nvs() == {"n": {"i": 7, "b": b"blob"}}


def test_a_button_is_seen_by_the_program(bench):
    bench.board.control.call("press_button", pin=0)
    read = "import machine; print(machine.Pin(0, machine.Pin.IN, machine.Pin.PULL_UP).value())"
    assert bench.run("exec", read) == "0\n"
    bench.board.control.call("release_button", pin=0)
    assert bench.run("exec", read) == "1\n"


def test_a_modem_at_a_uart_answers_the_program(bench):
    simulator = Process([sys.executable, "-m", "host_tests.sim", "--seed", "1"], bench.board.directory / "sim.log")
    try:
        bench.board.control.call("link_uart", number=1, tty=simulator.hello()["tty"])
        ask = (
            "import machine, time\n"
            "uart = machine.UART(1, 115200, tx=26, rx=27, rxbuf=4096, timeout=2000)\n"
            "heard = b''\n"
            "for _ in range(200):\n"
            "    uart.write('AT+CGMM\\r')\n"
            "    time.sleep_ms(50)\n"
            "    heard += uart.read() or b''\n"
            "    if b'OK' in heard: break\n"
            "print('A76' in heard.decode())"
        )
        assert bench.run("exec", ask) == "True\n"
    finally:
        simulator.close()


def test_four_boards_are_copied_to_at_once(make_bench, tmp_path):
    files = _tree(tmp_path / "tree")
    benches = [make_bench(f"board{number}", identity=f"24000000000{number}") for number in range(4)]
    threads = [threading.Thread(target=bench.run, args=("cp", "-r", f"{tmp_path / 'tree'}/.", ":/")) for bench in benches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_COMMAND_S)
    assert all(files.items() <= bench.board.files().items() for bench in benches)


def test_the_32_bit_interpreter_serves_too(make_bench, micropython32):
    bench = make_bench(micropython=micropython32)
    assert bench.run("exec", "import sys; print(sys.maxsize)") == "2147483647\n"


# ---- partitions

_UPGRADE = """
from esp32 import Partition
import binascii
image = binascii.unhexlify({image!r})
new = Partition(Partition.RUNNING).get_next_update()
new.writeblocks(0, image + b"\\xff" * (-len(image) % 4096))
try:
    new.set_boot()
    print(Partition(Partition.BOOT).info()[4])
except OSError as error:
    print(error.errno)
"""
_RUNNING = "from esp32 import Partition; print(Partition(Partition.RUNNING).info()[4])"
_MARK = "from esp32 import Partition; Partition.mark_app_valid_cancel_rollback()"


@pytest.fixture
def upgraded(make_bench):
    """A board that has just started a new image, on trial."""
    bench = make_bench(partitions=partitions.OTA)
    assert bench.run("exec", _UPGRADE.format(image=boot_choice.app_image(b"the new one").hex())) == "ota_1\n"
    assert bench.board.state()["running"] == "ota_0"
    bench.board.control.call("press_reset")
    bench.until(at_prompt=True, running="ota_1")
    return bench


def test_an_image_that_is_not_marked_good_is_rolled_back_at_the_next_reset(upgraded):
    assert upgraded.run("exec", _RUNNING) == "ota_1\n"
    upgraded.run("reset")
    upgraded.until(at_prompt=True, running="ota_0")


def test_an_image_that_is_marked_good_stays(upgraded):
    upgraded.run("exec", _MARK)
    for _ in range(2):
        upgraded.board.control.call("press_reset")
    upgraded.until(at_prompt=True, running="ota_1")


def test_a_soft_reset_is_no_end_of_the_trial(upgraded):
    upgraded.run("soft-reset")
    assert upgraded.run("exec", _RUNNING) == "ota_1\n"


def test_an_image_that_is_not_whole_cannot_be_chosen(make_bench):
    bench = make_bench(partitions=partitions.OTA)
    image = bytearray(boot_choice.app_image(b"the new one"))
    image[-1] ^= 1
    assert bench.run("exec", _UPGRADE.format(image=image.hex())) == "-5379\n"
    bench.board.control.call("press_reset")
    bench.until(at_prompt=True, running="ota_0")
