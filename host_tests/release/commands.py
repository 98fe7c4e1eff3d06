"""`hanma release` as a person calls it, in this process; and a small staged tree to make bundles of."""

import pathlib

from typer.testing import CliRunner

from hanma.cli import app

EXPIRES = "2030-01-01"
PASSPHRASE = "焊码 correct horse"
TREE = {
    "boot.py": b"boot = 1\n",
    "main.py": b"import app\n",
    "lib/board.mpy": b"board",
    "lib/terminal/app.mpy": b"the application" * 300,
    "lib/terminal/led.mpy": b"the lamp" * 40,
}


def release(*arguments, code=0):
    """Run `hanma release` with these arguments and return what it prints; its status must be code."""
    environment = {"RELEASE_PASSPHRASE": PASSPHRASE, "COLUMNS": "200"}
    done = CliRunner().invoke(app, ["release", *map(str, arguments)], env=environment)
    assert done.exit_code == code, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.output


def write_tree(directory, changes=None):
    """Write the staged tree with these changes ({name: bytes, None for none}) and return its directory."""
    for name, data in {**TREE, **(changes or {})}.items():
        path = pathlib.Path(directory) / name
        if data is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return directory


class Workshop:
    """A directory with two keys in it, where bundles are made. keys: the device's file of both public keys."""

    def __init__(self, directory):
        self.directory = directory
        self.keys = directory / "release.keys"
        for name in ("a", "b"):
            release("key", "new", directory / name, "--passphrase", "env:RELEASE_PASSPHRASE")
        release("key", "device", directory / "a.pub", directory / "b.pub", "--out", self.keys)

    def build(self, out, version, tree, *options, key="a", board="unix", code=0):
        """Make a bundle of a tree at out; return (its path, what was printed)."""
        given = ["--version", version, "--expires", EXPIRES, "--key", self.directory / key, "--tree", tree, "--out", out]
        printed = release("build", "--board", board, *given, "--passphrase", "env:RELEASE_PASSPHRASE", *options, code=code)
        return out, printed

    def verify(self, path, *options, board="unix", code=0):
        """Judge a bundle as a device of the given board, and return what is printed."""
        given = ["--key", self.keys, "--board", board, "--micropython", "1.26.1", "--now", "2029-12-31"]
        return release("verify", path, *given, *options, code=code)
