"""The control channel of a virtual board: hands at its cable, its buttons and its supply, as lines of JSON.

`help` lists the commands. State: none beside the shell's.
"""

from host_tests.sim.json_lines import JsonLines


class BoardControl(JsonLines):
    """Carries out requests on a Shell."""

    def __init__(self, shell):
        super().__init__()
        self._shell = shell
        self._chip = shell.chip
        self._cable = shell.cable

    def cmd_help(self):
        """List the commands."""
        return {"commands": {name[4:]: getattr(self, name).__doc__ for name in dir(self) if name.startswith("cmd_")}}

    def cmd_state(self):
        """Tell everything: supply, starts, causes of resets, console, cable, writes left to the cut."""
        chip, console = self._chip, self._shell.console
        return {
            "on": chip.on,
            "boots": chip.boot,
            "reset_causes": chip.reset_causes,
            "running": chip.running,
            "at_prompt": not console.is_running,
            "raw": console.is_raw,
            "pts": self._cable.pts,
            "received": self._cable.received,
            "sent": self._cable.sent,
            "writes_left": chip.writes_left(),
            "failure": chip.failure,
        }

    def cmd_unplug(self, after_bytes=None):
        """Pull the cable out, now or when the computer has sent so many bytes more. The board goes on."""
        if after_bytes is None:
            self._cable.unplug()
        else:
            self._cable.unplug_after(after_bytes)

    def cmd_plug(self):
        """Plug the cable in; tells the new pty."""
        self._cable.plug()
        return {"pts": self._cable.pts}

    def cmd_power(self, on):
        """Switch the board's supply."""
        if on:
            self._chip.power_on()
        else:
            self._chip.power_off()

    def cmd_press_reset(self):
        """Press EN: for the chip it is a power-on."""
        self._chip.press_reset()

    def cmd_press_button(self, pin, level=0):
        """Press the button at a pin and hold it: the pin's level while it is pressed."""
        self._chip.set_pin(pin, str(level))

    def cmd_release_button(self, pin, level=1):
        """Let go of the button at a pin."""
        self._chip.set_pin(pin, str(level))

    def cmd_set_pin(self, pin, text):
        """Set an input: "0", "1", "=12" (follows output 12), "!12" (its inverse)."""
        self._chip.set_pin(pin, text)

    def cmd_set_adc(self, pin, raw):
        """Set an analogue input, 0 to 65535."""
        self._chip.set_adc(pin, raw)

    def cmd_link_uart(self, number, tty):
        """Wire a pty (a simulated modem's) to a UART."""
        self._chip.link_uart(number, tty)

    def cmd_cut(self, at_write):
        """End the power in the middle of the so many-th write to flash from now; 0: never."""
        self._chip.cut_power_at_write(at_write)
