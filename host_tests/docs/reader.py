"""Who tries a chapter: a desk with a copy of the project, virtual boards on cables, and hands.

What a host cannot do: nothing is written to a chip, a virtual one has no ROM; esptool's words are shown instead. State: the
processes of the boards and of their modems, closed with the stack.
"""

import re
import sys

from hanma.bench import certificates
from host_tests.board.board import Board
from host_tests.docs import chapters
from host_tests.docs.images import image
from host_tests.system.harness import RELAY_PIN, Process
from host_tests.system.provisioning import BUTTON_PIN

_PASSPHRASE = "correct horse\n"
_FACTOR = 10  # the boards' and modems' seconds in one real second


class Reader:
    """directory: for all that is made; stack: an ExitStack; boards: how many. HANDS: ((what a command has in it, method), …)."""

    CHAPTER = None
    HANDS = ()

    def __init__(self, directory, stack, boards):
        self.directory = directory
        self.stack = stack
        self.desk = chapters.Desk(directory)
        self.boards = [self._board(directory / f"board{number}", number) for number in range(boards)]
        self.tls = certificates.make(directory, "good", names=("localhost", "127.0.0.1"))
        (self.desk.place / "ca.pem").write_bytes(self.tls.ca.read_bytes())
        (self.desk.place / "ESP32_GENERIC-SPIRAM.bin").write_bytes(image())

    def _board(self, directory, number):
        board = self.stack.enter_context(Board(directory, identity=f"240ac400000{number}", time_factor=_FACTOR))
        board.control.call("set_pin", pin=RELAY_PIN + 1, text=f"={RELAY_PIN}")
        board.control.call("release_button", pin=BUTTON_PIN)
        modem = Process([sys.executable, "-m", "host_tests.sim", "--seed", "1", "--speed", str(_FACTOR)], directory / "sim.log")
        self.stack.callback(modem.close)
        board.control.call("link_uart", number=1, tty=modem.hello()["tty"])
        return board

    def follow(self):
        """Save every file and run every command, as they come."""
        for block in chapters.blocks(self.CHAPTER):
            if block.language == "sh":
                for command in block.text.splitlines():
                    hand = next((hand for said, hand in self.HANDS if re.search(said, command)), Reader.plainly)
                    hand(self, command)
            elif block.name and "." in block.name:
                self.desk.save(block)

    def plainly(self, command):
        """Run it."""
        self.desk.run(command)

    def only_show(self, command):
        """Let esptool's words be shown."""
        assert "write-flash" in self.desk.run(command if "--dry-run" in command else f"{command} --dry-run")

    def type_passphrase(self, command):
        """Type it as often as it is asked for."""
        self.desk.run(command, _PASSPHRASE * 2)

    def hold_button(self, command):
        """Hold every board's button meanwhile."""
        for board in self.boards:
            board.control.call("press_button", pin=BUTTON_PIN)
        self.desk.run(command)
        for board in self.boards:
            board.control.call("release_button", pin=BUTTON_PIN)
