"""Chapters as their readers try them: the fenced blocks of a chapter, and a desk where its commands are run one after the other.

```sh has commands, one a line; a second word after the language is the name of a file that the reader saves. The desk is a copy of
the project as a fresh clone has it; what a chapter calls a port is a virtual board there. State: the copy, in a directory.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import typing

from hanma import toolchain

DOCS = toolchain.ROOT / "docs"
_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LEFT_BEHIND = shutil.ignore_patterns(".git", ".venv", "build", ".*_cache", "__pycache__", "*.egg-info", ".hypothesis")
_COMMAND_S = 150


class Block(typing.NamedTuple):
    """A fenced block: its language, the file's name or None, its text."""

    language: str
    name: str
    text: str


def blocks(chapter):
    """Return the blocks of a chapter of docs/, in order."""
    return [Block(*found) for found in _BLOCK.findall((DOCS / chapter).read_text("utf-8"))]


def commands(chapter):
    """Return the lines of its blocks of commands, without what is said beside them."""
    lines = [line for block in blocks(chapter) if block.language == "sh" for line in block.text.splitlines()]
    return [re.sub(r"\s+# .*", "", line) for line in lines if line.strip()]


def document(chapter, name):
    """Return the text of the block that has this name."""
    return next(block.text for block in blocks(chapter) if block.name == name)


class Desk:
    """directory: where the copy is made. stands_in: {what a chapter says: what is here}, to be filled by who runs it."""

    def __init__(self, directory):
        self.place = pathlib.Path(directory) / "hanma"
        shutil.copytree(toolchain.ROOT, self.place, ignore=_LEFT_BEHIND)
        self._make_venv()
        library = toolchain.umqtt_simple()
        shutil.copytree(library, self.place / "build" / library.name)
        self.stands_in = {}
        self.env = dict(os.environ, PYTHONPATH=f"{self.place / 'tools'}:{self.place}", COLUMNS="160", LC_ALL="C.UTF-8")
        self.env["PYTHON"] = "false"  # so that make never fills what the copy shares with this project
        self.env["PATH"] = f"{self.place / '.venv' / 'bin'}:{self.env['PATH']}"

    def _make_venv(self):
        """Give the copy the packages of this Python, as if its first `make` had installed them."""
        venv = self.place / ".venv"
        venv.mkdir()
        for path in pathlib.Path(sys.prefix).iterdir():
            if path.name not in (".venv", "ready"):
                (venv / path.name).symlink_to(path)
        (venv / "ready").touch()

    def save(self, block):
        """Save a block under its name."""
        path = self.place / block.name
        path.parent.mkdir(exist_ok=True)
        path.write_text(block.text, "utf-8")

    def words(self, command):
        """Return a command as it is given here."""
        for said, here in self.stands_in.items():
            command = command.replace(said, here)
        return ["bash", "-c", command]

    def run(self, command, typed=""):
        """Run a command to its end, with what the reader types; return what it printed. AssertionError when it fails."""
        done = subprocess.run(
            self.words(command), cwd=self.place, env=self.env, input=typed, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=_COMMAND_S, start_new_session=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        return done.stdout

    def start(self, command):
        """Start a command that runs until it is ended; return the process, whose output is a pipe."""
        return subprocess.Popen(
            self.words(command), cwd=self.place, env=self.env, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
