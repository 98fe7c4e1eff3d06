"""LilyGO T-A7670 (ESP32-WROVER-E, A7670E/SA/G) with an external relay module and an external lamp.

Data only. "utilities.h" is examples/ATdebug/utilities.h, section LILYGO_T_A7670, of
Xinyuan-LilyGO/LilyGO-T-A76XX; "pins map" is docs/en/esp32/a7670-esp32, "schematic"
schematic/esp32/T-A7670X-V1.4.pdf there. The board has no relay: wire a module with its own coil driver to
GPIO 21, a pull-down of 10 kilohms at its input, and the welder's contactor to its normally open contact.
"""

BOARD = {
    "name": "lilygo_t_a7670",
    "relay": {
        "driver": "gpio",
        "pin": 21,  # free: pins map, "Default SDA"; schematic: header only
        "active": 1,  # with the pull-down a chip in reset leaves the coil without current
        "hold": True,
        "contact": "normally_open",
    },
    # A volt-free auxiliary contact of the contactor to ground belongs on GPIO 22 (free: pins map,
    # "Default SCL"): {"pin": 22, "powered": 0, "pull": "up"}
    "readback": None,
    # A current sensor belongs on GPIO 34 (input only, ADC1; used by LilyGO's SimShield alone,
    # utilities.h): {"kind": "adc", "pin": 34, "threshold": …, "hysteresis": …}
    "welding": None,
    # schematic: header only; free unless a SimShield is fitted (utilities.h)
    "led": {"pin": 19, "active": 1},
    # The button marked BOOT pulls GPIO 0 down (esptool documentation, "Boot Mode Selection"); pressed after the start it is free
    "button": {"pin": 0, "pressed": 0, "pull": "up"},
    "modem": {
        "family": "simcom",
        "uart": 1,  # utilities.h, SerialAT Serial1
        "baud": 115200,  # utilities.h, MODEM_BAUDRATE
        "tx": 26,  # utilities.h, MODEM_TX_PIN (the ESP32's TX)
        "rx": 27,  # utilities.h, MODEM_RX_PIN
        "flow": 0,  # RTS and CTS are not wired (pins map)
        "supply": {"pin": 12, "active": 1},  # utilities.h, BOARD_POWERON_PIN: "must be set to HIGH"
        "key": {"pin": 4, "active": 1},  # utilities.h, BOARD_PWRKEY_PIN; ATdebug.ino: high for the pulse
        "reset": {"pin": 5, "active": 1},  # utilities.h, MODEM_RESET_PIN, MODEM_RESET_LEVEL HIGH
        "dtr": {"pin": 25, "level": 0},  # utilities.h, MODEM_DTR_PIN; ATdebug.ino: low keeps the modem awake
    },
    # docs/stale.md, TextToSpeech; a loudspeaker on the pads SPK+ and SPK- (examples/ModemPlayMusic)
    "voice": "modem_tts",
}

# For the host's tools and tests; not flashed.
ABOUT = {
    "note": "external relay module on GPIO 21, external lamp on GPIO 19",
    "chip": "esp32",
    "psram": True,  # ESP32-WROVER-E with 8 MB: GPIO 16 and 17 belong to it (pins map, "Product")
    # Frozen in the stock image ESP32_GENERIC-SPIRAM: micropython ports/esp32/boards/manifest.py
    "image_libraries": ("umqtt.simple",),
    # Strapping pins to which the vendor has wired a part; nothing of ours may use one.
    "wired_by_vendor": {
        0: "the BOOT button, read only while service is asked for",
        12: "BOARD_POWERON_PIN: switches the modem's supply",
        5: "MODEM_RESET_PIN: base resistor of Q1 with 47 kilohms to ground (schematic)",
    },
}
