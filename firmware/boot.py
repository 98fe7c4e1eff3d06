"""First code of ours after power-on: what a reset must not change for the welder is decided here, before anything slow.

Ctrl-C bytes on the console cannot stop it; whatever goes wrong leaves the relay at rest, and main.py tries again and resets.
"""

try:
    import micropython

    micropython.kbd_intr(-1)
    from terminal.borrow import borrow

    borrow("start").begin()
except BaseException as error:
    import sys

    sys.print_exception(error)
