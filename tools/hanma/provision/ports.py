"""Which ports have a board, and several boards at once: a thread a port, the next board when the cable has moved.

State: none. Times in seconds.
"""

import os
import threading
import time

import serial.tools.list_ports

# USB vendors of ESP32 boards: Silicon Labs CP210x, WCH CH34x, FTDI, Espressif's own USB.
_VENDORS = (0x10C4, 0x1A86, 0x0403, 0x303A)
_LOOK_S = 0.2


def boards():
    """Return the names of the serial ports that may have a board."""
    return sorted(port.device for port in serial.tools.list_ports.comports() if port.vid in _VENDORS)


def is_there(port):
    """Return whether there is such a port now."""
    if str(port).startswith("/"):
        return os.path.exists(port)
    return any(found.device == port for found in serial.tools.list_ports.comports())


def each(ports, work, stop=None):
    """Do work(port) for all ports at once and return {port: what it returned}. stop: set by who interrupts."""
    results = {}

    def run(port):
        results[port] = work(port)

    threads = [threading.Thread(target=run, args=(port,), daemon=True) for port in ports]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(_LOOK_S)
    except KeyboardInterrupt:
        if stop:
            stop.set()
        raise
    return results


def follow(port, work, wait, stop):
    """Do work(port) for one board after the other: the next one when the port has gone and come back. Return the last result.

    wait(): called when a board is waited for. Ends when stop is set.
    """
    result = None
    while not stop.is_set():
        if not is_there(port):
            wait()
            while not is_there(port):
                if stop.wait(_LOOK_S):
                    return result
        result = work(port)
        while is_there(port) and not stop.is_set():
            time.sleep(_LOOK_S)
    return result
