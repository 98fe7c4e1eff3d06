"""The whole terminal in virtual time: firmware, modem, network and broker in one MicroPython process."""
