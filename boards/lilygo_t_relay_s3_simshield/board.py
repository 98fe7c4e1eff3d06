"""LilyGO T-Relay S3 (ESP32-S3, six relays behind a 74HC595) Rev 1.1 with LilyGO's SimShield and an A7670.

Data only. "RELAY_ESP32S3" is docs/RELAY_ESP32S3.MD, "SimShield.ino" is
examples/T-Relay-ESP32S3/SimShield/SimShield.ino, "schematic" is Schematic/T-Relay6-ESP32S3-Rev1.1.pdf, all of
Xinyuan-LilyGO/LilyGo-T-Relay. The welder's contactor is wired to the normally open contact of relay 1. Rev
1.0 has no output enable: its relays are undefined at power-on.
"""

BOARD = {
    "name": "lilygo_t_relay_s3_simshield",
    "relay": {
        "driver": "shift595",
        "data": 7,  # RELAY_ESP32S3, section 4
        "clock": 5,  # RELAY_ESP32S3, section 4
        "latch": 6,  # RELAY_ESP32S3, section 4
        # RELAY_ESP32S3, section 4, nOE; schematic: R48 pulls it up, outputs are off until it is driven low
        "enable": 4,
        "output": 0,  # relay 1 is QA (schematic, U4), SR1 (RELAY_ESP32S3, section 5)
        "outputs": 8,
        "rest": 0,  # the other relays stay off
        "active": 1,  # examples/T-Relay-ESP32S3/HT74HC595: HIGH turns a relay on
        "contact": "normally_open",
    },
    # An auxiliary contact of the contactor belongs on GPIO 21 (schematic: on the screen header, free
    # without a screen): {"pin": 21, "powered": 0, "pull": "up"}
    "readback": None,
    "welding": None,
    # the 74HC595's QG drives the green LED (RELAY_ESP32S3, section 5; schematic, D18)
    "led": {"output": 6, "active": 1},
    # The button marked BOOT pulls GPIO 0 down (esptool documentation, "Boot Mode Selection"); pressed after the start it is free
    "button": {"pin": 0, "pressed": 0, "pull": "up"},
    "modem": {
        "family": "simcom",
        "uart": 1,  # SimShield.ino, SerialAT Serial1
        "baud": 115200,  # SimShield.ino, SerialAT.begin
        "tx": 3,  # SimShield.ino, MODEM_TX_PIN
        "rx": 9,  # SimShield.ino, MODEM_RX_PIN
        "flow": 0,  # RTS and CTS are not wired (SimShield.ino)
        "supply": None,  # the modem has its supply whenever the board has
        "key": {"pin": 46, "active": 0},  # SimShield.ino, MODEM_PWRKEY: low for the pulse
        "reset": None,  # no reset pin is wired (SimShield.ino)
        "dtr": {"pin": 11, "level": 0},  # SimShield.ino, MODEM_DTR_PIN: low keeps the modem awake
    },
    # an A7670 (SimShield.ino points to LilyGO-T-A76XX, whose examples/TextToSpeech speaks)
    "voice": "modem_tts",
}

# For the host's tools and tests; not flashed.
ABOUT = {
    "note": "relay 1 of six, normally open; lamp is the board's green LED; Rev 1.1 only",
    "chip": "esp32s3",
    "psram": True,  # octal (RELAY_ESP32S3, tip 1 and "OPI PSRAM"): GPIO 33 to 37 belong to it
    # Frozen in the stock image ESP32_GENERIC_S3-SPIRAM_OCT: micropython ports/esp32/boards/manifest.py
    "image_libraries": ("umqtt.simple",),
    # Strapping pins to which the vendor has wired a part; nothing of ours may use one.
    "wired_by_vendor": {
        0: "the BOOT button, read only while service is asked for",
        3: "MODEM_TX_PIN on the SimShield's header",
        46: "MODEM_PWRKEY on the SimShield's header",
    },
}
