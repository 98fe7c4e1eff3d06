"""What a virtual board keeps while it is off: its flash image, its partition table and its key-value store, in a directory.

State: none. The file system is read and written by MicroPython itself.
"""

import base64
import json
import pathlib
import shutil
import subprocess

from hanma import toolchain

FLASH = "flash.img"
KEPT = (FLASH, "partitions.json", "nvs.json")
_ON_IMAGE = pathlib.Path(__file__).parent / "on_image.py"


class ImageError(Exception):
    """The file system cannot be mounted; the text is MicroPython's."""


def copy(source, target):
    """Copy what a board keeps from one directory to another."""
    for name in KEPT:
        if (pathlib.Path(source) / name).exists():
            shutil.copyfile(pathlib.Path(source) / name, pathlib.Path(target) / name)


def read_files(directory):
    """Return {path without the first slash: bytes} of the file system, as it is at this instant. Raises ImageError."""
    snapshot = pathlib.Path(directory) / f"{FLASH}.read"
    shutil.copyfile(pathlib.Path(directory) / FLASH, snapshot)
    try:
        pairs = map(json.loads, _on_image("read", directory, snapshot).splitlines())
        return {path: base64.b64decode(content) for path, content in pairs}
    finally:
        snapshot.unlink()


def write_files(directory, files):
    """Write {path: bytes} into directories that there are; the board is off. Raises ImageError."""
    lines = [json.dumps([path, base64.b64encode(content).decode()]) + "\n" for path, content in files.items()]
    _on_image("write", directory, pathlib.Path(directory) / FLASH, "".join(lines))


def _on_image(verb, directory, path, text=""):
    table = json.loads((pathlib.Path(directory) / "partitions.json").read_text())
    part = next(part for part in table if part["label"] == "vfs")
    command = [toolchain.micropython(), "-X", "heapsize=16M", _ON_IMAGE, verb, path, part["address"], part["size"]]
    done = subprocess.run(list(map(str, command)), input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ImageError(done.stdout[-500:] + done.stderr[-500:])
    return done.stdout


def read_nvs(directory):
    """Return {namespace: {key: bytes or int}}."""
    try:
        spaces = json.loads((pathlib.Path(directory) / "nvs.json").read_text())
    except FileNotFoundError:
        return {}
    return {
        space: {key: entry["i32"] if "i32" in entry else bytes.fromhex(entry["blob"]) for key, entry in keys.items()}
        for space, keys in spaces.items()
    }
