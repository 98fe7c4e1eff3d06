"""The boot.py of an image with the boot path frozen in; MicroPython takes it before the file system's.

The file system's boot.py and main.py run where it has both. Where not, the same firmware runs from the image, under `recovery`:
on a terminal that was provisioned, for a board without an identity waits for `hanma provision`.
"""

try:
    import os
    import sys

    import micropython

    micropython.kbd_intr(-1)

    def has(*paths):
        """Return whether the file system has all of these."""
        try:
            for path in paths:
                os.stat(path)
        except OSError:
            return False
        return True

    def has_identity():
        """Return whether this board was ever provisioned."""
        import esp32

        try:
            return esp32.NVS("hanma").get_blob("device_id", bytearray(256)) > 0
        except OSError:
            return False

    if has("/boot.py", "/main.py"):
        execfile("/boot.py")  # noqa: F821 - a builtin of MicroPython
    elif has_identity():
        print("no firmware on the file system: the image's own runs")
        # boot.py puts the library of a slot in the last one's place
        sys.path[:] = [".frozen/recovery", ".frozen", ".frozen/recovery/lib"]
        import boot  # noqa: F401
except BaseException as error:
    import sys

    sys.print_exception(error)
