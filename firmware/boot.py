"""First code of ours after power-on: what a reset must not change for the welder is decided here, before anything slow.

Ctrl-C bytes on the console cannot stop it; whatever goes wrong leaves the relay at rest, and main.py tries again and resets.
"""

try:
    import gc

    import micropython

    micropython.kbd_intr(-1)
    gc.threshold(2048)  # what an import leaves behind is collected before the next one is placed beyond it
    from terminal.borrow import borrow

    borrow("start").begin()
except BaseException as error:
    import sys

    sys.print_exception(error)
