"""A file that is there whole or not at all. State: none."""

import os


def write(path, data):
    """Write bytes to a pathlib.Path in place of what is there, over a power cut too. Raises OSError."""
    fresh = path.with_name(path.name + ".new")
    with open(fresh, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
