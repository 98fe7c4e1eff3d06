"""First code of ours after power-on: which slot runs, and what a reset must not change for the welder, before anything slow.

Ctrl-C bytes on the console cannot stop it; whatever goes wrong leaves the relay at rest, and main.py tries again and resets.

The file `slot` names the directory whose lib and main.py run; without it these are the root's own. A release on trial is named
with the slot before it: "b a". Each of its boots but those of a power-on or brown-out counts against it, in NVS; the third one
gives the slot before back. All of this needs nothing of any slot, and no upgrade changes this file.
"""

try:
    import gc
    import sys

    import micropython

    micropython.kbd_intr(-1)
    gc.threshold(2048)  # what an import leaves behind is collected before the next one is placed beyond it

    def choose():
        """Return the slot that is to run. Raises OSError and ValueError where no slot is named, or what is named is not there."""
        import os

        import esp32
        import machine

        with open("slot") as file:
            slot, *before = file.read(32).split()
        crashes = 0
        if before:
            try:
                nvs = esp32.NVS("hanma")
                # -1 before its first boot, which is a reset that was wanted
                crashes = max(0, nvs.get_i32("trial") + (machine.reset_cause() != machine.PWRON_RESET))
                nvs.set_i32("trial", crashes)
                nvs.commit()
            except OSError:
                crashes = 3  # nobody can count
        if crashes >= 3:
            slot = before[0]
            try:
                with open("slot.new", "w") as file:
                    file.write(slot)
                os.rename("slot.new", "slot")
            except OSError as error:
                sys.print_exception(error)  # the next boot tries again
        os.stat(slot + "/main.py")
        return slot

    try:
        slot = choose()
    except (OSError, ValueError):
        slot = "."
    del choose
    if slot != ".":
        sys.path[-1] = slot + "/lib"
    from terminal.borrow import borrow

    borrow("start").begin()
    if slot != ".":
        execfile(slot + "/main.py")  # noqa: F821 - a builtin; it returns only where somebody was let in
except BaseException as error:
    import sys

    sys.print_exception(error)
